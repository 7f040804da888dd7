//! The SDK's errors as the port's.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use super::fault::{Answer, Place, Verdict};
use crate::ports::objects::ObjectsError;

/// A call on a key of a place: what its errors say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub place: &'a Place,
    pub operation: &'static str,
    pub key: &'a str,
}

/// What an unsuccessful call means.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such object.
    Absent,
    /// The range lies beyond the object's end.
    BeyondEnd,
    /// All else.
    Error(ObjectsError),
}

impl Call<'_> {
    /// What an error of the SDK means.
    pub(super) fn failure<E>(&self, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let SdkError::ServiceError(answered) = &error else { return Failure::Error(self.unanswered(error)) };
        let answer = Answer {
            status: answered.raw().status().as_u16(),
            code: answered.err().code().unwrap_or_default(),
            message: answered.err().message().unwrap_or_default(),
            bucket_region: answered.raw().headers().get("x-amz-bucket-region"),
        };
        Failure::Error(match answer.verdict() {
            Verdict::Absent => return Failure::Absent,
            Verdict::BeyondEnd => return Failure::BeyondEnd,
            Verdict::PreconditionFailed => ObjectsError::PreconditionFailed { key: self.key.to_owned() },
            Verdict::Conflict => ObjectsError::Conflict { key: self.key.to_owned() },
            Verdict::TryLater => self.unavailable(error),
            Verdict::Refused(fault) => self.refused(self.place.explain(fault, &answer), Some(Box::new(error))),
        })
    }

    /// An error of the SDK for a call that an absent object cannot fail.
    pub(super) fn error<E>(&self, error: SdkError<E, HttpResponse>) -> ObjectsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match self.failure(error) {
            Failure::Error(error) => error,
            Failure::Absent | Failure::BeyondEnd => self
                .refused("the store answers that there is no such object, to a request of another kind".into(), None),
        }
    }

    /// An object that a request for several did not delete.
    pub(super) fn not_deleted(&self, error: &aws_sdk_s3::types::Error) -> ObjectsError {
        let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
        let status = match code {
            "AccessDenied" => 403,
            "InternalError" | "ServiceUnavailable" => 503,
            _ => 400,
        };
        let answer = Answer { status, code, message, bucket_region: None };
        let of_object = Call { key: error.key().unwrap_or(self.key), ..*self };
        match answer.verdict() {
            Verdict::Refused(fault) => of_object.refused(self.place.explain(fault, &answer), None),
            _ => of_object.unavailable(format!("{code}: {message}")),
        }
    }

    fn unanswered<E>(&self, error: SdkError<E, HttpResponse>) -> ObjectsError
    where
        E: Error + Send + Sync + 'static,
    {
        let credentials = causes(&error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
        if matches!(
            credentials,
            Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_))
        ) {
            return self.refused(self.place.no_credentials(), Some(Box::new(error)));
        }
        match error {
            SdkError::ConstructionFailure(_) => {
                self.refused("the request cannot be made".into(), Some(Box::new(error)))
            }
            _ => self.unavailable(error),
        }
    }

    /// An answer whose body could not be read to its end.
    pub(super) fn body(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ObjectsError {
        let source = source.into();
        match is_altered(&*source) {
            true => ObjectsError::Altered { operation: self.operation, key: self.key.to_owned(), source },
            false => self.unavailable(source),
        }
    }

    /// The store does not answer.
    pub(super) fn unavailable(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ObjectsError {
        ObjectsError::Unavailable {
            operation: self.operation,
            key: self.key.to_owned(),
            endpoint: self.place.endpoint(),
            source: source.into(),
        }
    }

    /// The store refuses.
    pub(super) fn refused(&self, message: String, source: Option<Box<dyn Error + Send + Sync>>) -> ObjectsError {
        ObjectsError::Refused { operation: self.operation, key: self.key.to_owned(), message, source }
    }
}

/// Whether a body has another checksum than the store says. The SDK gives this no type that can be asked for.
fn is_altered(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.to_string().contains("checksum mismatch"))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_another_checksum_is_an_altered_object_and_a_broken_one_is_no_answer() {
        let place = Place {
            section: "storage".into(),
            url: "s3://b".parse().unwrap(),
            endpoint_url: None,
            region: "eu-west-1".into(),
            access_key_id: None,
        };
        let call = Call { place: &place, operation: "get", key: "k" };
        let altered = call.body("body checksum mismatch. expected body checksum to be 1 but it was 2");
        assert!(matches!(altered, ObjectsError::Altered { .. }) && !altered.retry(), "{altered}");
        let broken = call.body("end of file before message length reached");
        assert!(matches!(broken, ObjectsError::Unavailable { .. }) && broken.retry(), "{broken}");
    }
}
