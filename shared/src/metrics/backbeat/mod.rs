//! Backbeat's replication metrics: its messages, its keys in Redis, its formulas and its HTTP answers.
//!
//! Facts from the original (2018, called A here, and 8.7, called B): a store that one of the two wrote is read by
//! Highwater and the other way round. What differs on purpose is said where it differs.
//!
//! Thirteen faults of the original are made impossible, each by a test that its design fails:
//!
//! | fault of the original | test |
//! |---|---|
//! | a message that comes twice counts twice | metrics-consumer, `a_message_counts_once_however_often_its_event_comes` |
//! | offsets are acknowledged before Redis has answered | metrics-consumer, `while_the_aggregator_is_down_nothing_is_acknowledged_and_nothing_is_lost` |
//! | with Redis down the answer is 200 with zeros | metrics-query, `with_the_store_down_the_answer_is_503_and_never_zeros` |
//! | windows follow the consumer's clock | metrics-consumer, `a_replay_a_day_later_leaves_the_windows_as_they_were` |
//! | the backlog is wrong across windows | metrics-consumer, `the_backlog_is_right_across_windows` |
//! | pending drifts, also below zero | `pending_is_what_was_queued_and_did_not_end_at_any_moment_and_no_counter_ever_falls` |
//! | `all` scans the key space, counts removed locations and is deceived by objects' keys | metrics-query, `all_counts_no_removed_location_and_no_object_whose_key_looks_like_a_counter` |
//! | a question reads dozens of keys one by one | metrics-query, `a_question_is_one_round_trip_of_a_fixed_number_of_keys_however_full_the_store_is` |
//! | `__proto__`, `null` and tombstones crash it | `the_names_of_javascripts_machinery_are_names_like_others`, `each_malformed_message_has_its_reason`, and metrics-query, `a_question_that_asks_nothing_is_refused_before_the_store_is_asked` |
//! | keys joined by colons are ambiguous, a missing site is `undefined`, texts count as numbers | metrics-query, `what_writing_refuses_reading_answers_as_unknown_and_never_as_another_object`; `each_malformed_message_has_its_reason` |
//! | a restart of the API resets the windows | metrics-query, `a_new_instance_answers_as_the_old_one_did` |
//! | a retry counts twice, and a failure stays one | `an_object_that_is_sent_again_never_passes_its_size`, `an_operation_counts_by_the_greatest_state_whatever_comes_when_and_how_often` |
//! | the configured host is ignored | local-runner, `a_listener_is_reached_at_its_own_address_and_at_no_other` |

pub mod answer;
pub mod control;
pub mod error;
pub mod figures;
pub mod formulas;
pub mod keys;
mod line;
pub mod message;
pub mod retry_body;
pub mod route;
