//! Seals: what only the holder of a key can have written.
//!
//! A seal is an HMAC-SHA256 over a domain, a line end and a text. That of a segment is over its metadata as it stands in the
//! footer, byte for byte, and so over its place, totals and chain digests; it lies beside it in the footer under
//! [`SEGMENT_SEAL_KEY`]. That of a floor is over [`floor_text`]. Records are not read again for it: the chain digest binds
//! them, and with it a valid seal binds **everything before it in its chain**, sealed or not.
//!
//! The losses that were accepted (`=accepted-loss.json`) are sealed likewise: without that seal they excuse nothing.
//!
//! So who can write to the bucket and has no key can change nothing before the last sealed segment unnoticed. What is behind
//! must be sealed itself: unless the store says that it is older than the key (a date that who writes to a bucket
//! cannot choose), an unsealed segment that no sealed one follows is reported. What a seal cannot show is that there
//! were more segments behind the last one: only who counted them elsewhere knows (Kafka's group, Redis).

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ChainIdentity;
use crate::{
    record::{Millis, Offset},
    segment::ChainPoint,
};

/// The key of a seal in a Parquet footer's key-value list.
pub const SEGMENT_SEAL_KEY: &str = "highwater.seal";
const SEGMENT: &str = "highwater-seal-segment-1";
const FLOOR: &str = "highwater-seal-floor-1";
const LOSSES: &str = "highwater-seal-losses-1";

/// A seal as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// [`SealKey::id`] of the key.
    pub key: String,
    /// HMAC-SHA256, in hex.
    pub mac: String,
}

/// A key to seal with. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey {
    secret: String,
    id: String,
}

impl SealKey {
    /// The key of a secret text.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let id = hex::encode(&Sha256::digest(format!("highwater-key-id-1\n{secret}"))[..8]);
        SealKey { secret: secret.to_owned(), id }
    }

    /// Which key it is, without telling it: the beginning of a digest.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a segment by its metadata's text.
    #[must_use]
    pub fn segment(&self, metadata: &str) -> Seal {
        self.seal(SEGMENT, metadata)
    }

    /// Seals a floor.
    #[must_use]
    pub fn floor(&self, chain: &ChainIdentity, base: Offset, before: &ChainPoint) -> Seal {
        self.seal(FLOOR, &floor_text(chain, base, before))
    }

    /// Seals the accepted losses of a chain, given as JSON.
    #[must_use]
    pub fn losses(&self, chain: &ChainIdentity, losses: &str) -> Seal {
        self.seal(LOSSES, &losses_text(chain, losses))
    }

    fn seal(&self, domain: &str, text: &str) -> Seal {
        Seal { key: self.id.clone(), mac: hex::encode(self.mac(domain, text).finalize().into_bytes()) }
    }

    fn mac(&self, domain: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("HMAC takes keys of any length");
        for part in [domain, "\n", text] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// What the seal of a floor is over: names, numbers in decimal, the digest in hex, one a line, and the totals as JSON. A
/// total that a later version adds must be left out where it is 0.
#[must_use]
pub fn floor_text(chain: &ChainIdentity, base: Offset, before: &ChainPoint) -> String {
    let ChainIdentity { cluster_id, backup, topic, topic_id, incarnation, partition } = chain;
    let totals = serde_json::to_string(&before.totals).unwrap_or_default();
    format!(
        "{cluster_id}\n{backup}\n{topic}\n{topic_id}\n{incarnation}\n{partition}\n{base}\n{}\n{totals}\n",
        before.digest
    )
}

/// What the seal of accepted losses is over: names and numbers, one a line, and the losses as JSON.
fn losses_text(chain: &ChainIdentity, losses: &str) -> String {
    let ChainIdentity { cluster_id, backup, topic, topic_id, incarnation, partition } = chain;
    format!("{cluster_id}\n{backup}\n{topic}\n{topic_id}\n{incarnation}\n{partition}\n{losses}\n")
}

/// What a seal is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    /// A key that is known made it.
    Valid,
    /// It is not what its key would have made.
    Wrong,
    /// There is none.
    None,
    /// Of a key that is not known.
    Unknown(String),
}

/// What seals are checked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealRule {
    /// The present key first, then former ones.
    pub keys: Vec<SealKey>,
    /// What the store says was written before may be unsealed.
    pub since: Option<Millis>,
}

impl SealRule {
    /// What the seal of a segment is worth.
    #[must_use]
    pub fn of_segment(&self, metadata: &str, seal: Option<&Seal>) -> Worth {
        self.worth(SEGMENT, metadata, seal)
    }

    /// What the seal of a floor is worth.
    #[must_use]
    pub fn of_floor(&self, chain: &ChainIdentity, base: Offset, before: &ChainPoint, seal: Option<&Seal>) -> Worth {
        self.worth(FLOOR, &floor_text(chain, base, before), seal)
    }

    /// What the seal of accepted losses is worth.
    #[must_use]
    pub fn of_losses(&self, chain: &ChainIdentity, losses: &str, seal: Option<&Seal>) -> Worth {
        self.worth(LOSSES, &losses_text(chain, losses), seal)
    }

    /// Whether an object of that date may be unsealed.
    #[must_use]
    pub fn excuses(&self, modified: Millis) -> bool {
        self.since.is_some_and(|since| modified < since)
    }

    fn worth(&self, domain: &str, text: &str, seal: Option<&Seal>) -> Worth {
        let Some(seal) = seal else { return Worth::None };
        let Some(key) = self.keys.iter().find(|key| key.id == seal.key) else {
            return Worth::Unknown(seal.key.clone());
        };
        let mac = hex::decode(&seal.mac).unwrap_or_default();
        if key.mac(domain, text).verify_slice(&mac).is_ok() { Worth::Valid } else { Worth::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn rule(keys: &[&str]) -> SealRule {
        SealRule { keys: keys.iter().map(|secret| SealKey::new(secret)).collect(), since: None }
    }

    #[test]
    fn the_seals_of_a_key_cannot_change_any_more() {
        let key = SealKey::new(SECRET);
        let chain = ChainIdentity::example();
        assert_eq!(key.id(), "b10637140396aa75");
        assert_eq!(key.segment("{}").mac, "09896301405ad40c5aa546211a8cad2690a19a52ccb5b00c087f92ce605bc30e");
        assert_eq!(
            key.floor(&chain, Offset(5), &ChainPoint::start(&chain)).mac,
            "34c3e96bcdb1e18f5798d4bdfd9c2cda41a36511737ca674f4cfd1d28bb8bba5"
        );
    }

    #[test]
    fn a_seal_is_worth_something_for_its_own_text_domain_and_key_only() {
        let key = SealKey::new(SECRET);
        let seal = key.segment("{}");
        assert_eq!(rule(&[SECRET]).of_segment("{}", Some(&seal)), Worth::Valid);
        assert_eq!(rule(&["other", SECRET]).of_segment("{}", Some(&seal)), Worth::Valid, "a former key");
        assert_eq!(rule(&[SECRET]).of_segment("{ }", Some(&seal)), Worth::Wrong);
        assert_eq!(rule(&[SECRET]).worth(FLOOR, "{}", Some(&seal)), Worth::Wrong);
        assert_eq!(rule(&[SECRET]).of_segment("{}", None), Worth::None);
        assert_eq!(rule(&["other"]).of_segment("{}", Some(&seal)), Worth::Unknown(key.id().to_owned()));
        let empty = Seal { mac: String::new(), ..seal };
        assert_eq!(rule(&[SECRET]).of_segment("{}", Some(&empty)), Worth::Wrong);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", SealKey::new(SECRET)).contains(SECRET));
    }
}
