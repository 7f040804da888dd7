//! What a store's answer means: pure, so that each case is a line in a test.

use crate::config::storage::{EndpointUrl, StorageUrl};

/// An answer that is no success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    /// HTTP's status code.
    pub status: u16,
    /// S3's error code; empty where the body has none.
    pub code: &'a str,
    /// S3's message.
    pub message: &'a str,
    /// The region that the store names for the bucket.
    pub bucket_region: Option<&'a str>,
}

/// What an answer means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is no such object.
    Absent,
    /// The condition of a PUT does not hold.
    PreconditionFailed,
    /// A concurrent write was under way.
    Conflict,
    /// The range lies beyond the object's end.
    BeyondEnd,
    /// The store is overloaded or broken for now.
    TryLater,
    /// Trying again does not help.
    Refused(Fault),
}

/// Why a store refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NoSuchBucket,
    UnknownAccessKey,
    WrongSecretKey,
    ExpiredCredentials,
    Denied,
    WrongClock,
    WrongRegion,
    NotSupported,
    NotS3,
    Other,
}

impl Answer<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.status, self.code) {
            (_, "NoSuchKey") => Verdict::Absent,
            (412, _) => Verdict::PreconditionFailed,
            (409, _) => Verdict::Conflict,
            (416, _) => Verdict::BeyondEnd,
            (500 | 502..=599 | 429 | 408, _)
            | (_, "SlowDown" | "RequestTimeout" | "Throttling" | "ThrottlingException") => Verdict::TryLater,
            _ => Verdict::Refused(self.fault()),
        }
    }

    fn fault(&self) -> Fault {
        match (self.status, self.code) {
            (_, "NoSuchBucket") => Fault::NoSuchBucket,
            (_, "InvalidAccessKeyId" | "NotSignedUp" | "XAdminUserNotFound") => Fault::UnknownAccessKey,
            (_, "SignatureDoesNotMatch") => Fault::WrongSecretKey,
            (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => Fault::ExpiredCredentials,
            (_, "RequestTimeTooSkewed") => Fault::WrongClock,
            (301 | 307 | 308, _)
            | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                Fault::WrongRegion
            }
            (501 | 405, _) | (_, "NotImplemented") => Fault::NotSupported,
            (401 | 403, _) => Fault::Denied,
            (_, "") => Fault::NotS3,
            _ => Fault::Other,
        }
    }
}

/// A store as the settings have it: what its errors speak of.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The settings' section, as in `storage` or `locations.us-east-1`.
    pub section: String,
    pub url: StorageUrl,
    pub endpoint_url: Option<EndpointUrl>,
    pub region: String,
    /// The access key of the settings; absent: the SDK's own chain.
    pub access_key_id: Option<String>,
}

impl Place {
    /// Where requests go.
    pub(super) fn endpoint(&self) -> String {
        match &self.endpoint_url {
            Some(url) => url.to_string(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }

    /// What is wrong, with the setting, its value and the remedy.
    pub(super) fn explain(&self, fault: Fault, answer: &Answer<'_>) -> String {
        let Place { section, url, region, .. } = self;
        let (endpoint, bucket) = (self.endpoint(), url.bucket());
        match fault {
            Fault::NoSuchBucket => format!(
                "{section}.url is {url}, and {endpoint} has no bucket {bucket}: create it, or correct the setting"
            ),
            Fault::UnknownAccessKey => format!("{} at {endpoint}: correct it", self.access_key("is not known")),
            Fault::WrongSecretKey => format!(
                "{} at {endpoint}: correct {section}.secret_access_key",
                self.access_key("does not go with the secret key")
            ),
            Fault::ExpiredCredentials => {
                format!("{} at {endpoint}: renew the credentials", self.access_key("has expired"))
            }
            Fault::Denied => format!(
                "{} for {url}: allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there, or use other credentials",
                self.access_key("has not the permission")
            ),
            Fault::WrongClock => format!("{endpoint} finds this machine's clock too far off: set the clock"),
            Fault::WrongRegion => format!(
                "{section}.region is {region}, and bucket {bucket} is in {}: correct the setting",
                answer.bucket_region.unwrap_or("another region")
            ),
            Fault::NotSupported => format!(
                "{endpoint} does not support this request, which a backup needs ({} {}): choose another store for {section}.url",
                answer.status, answer.code
            ),
            Fault::NotS3 => format!(
                "{endpoint} answers {} without an S3 error code, so it is no S3 server: correct {section}.endpoint_url",
                answer.status
            ),
            Fault::Other => format!(
                "{endpoint} answers {} {}: {}: check {section}.url ({url})",
                answer.status, answer.code, answer.message
            ),
        }
    }

    fn access_key(&self, is: &str) -> String {
        let section = &self.section;
        match &self.access_key_id {
            Some(id) => format!("{section}.access_key_id is {id}, which {is}"),
            None => format!("{section}.access_key_id is not set, and the access key of the AWS environment {is}"),
        }
    }

    pub(super) fn no_credentials(&self) -> String {
        let Place { section, url, .. } = self;
        format!(
            "there are no credentials for {url}: set {section}.access_key_id and {section}.secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or an AWS profile or role"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> Answer<'_> {
        Answer { status, code, message: "", bucket_region: None }
    }

    fn place(access_key_id: Option<&str>) -> Place {
        Place {
            section: "storage".into(),
            url: "s3://backups/kafka".parse().unwrap(),
            endpoint_url: Some("http://127.0.0.1:7070".parse().unwrap()),
            region: "us-east-1".into(),
            access_key_id: access_key_id.map(str::to_owned),
        }
    }

    #[test]
    fn each_answer_has_one_meaning() {
        for (status, code, verdict) in [
            (404, "NoSuchKey", Verdict::Absent),
            (412, "PreconditionFailed", Verdict::PreconditionFailed),
            (409, "ConditionalRequestConflict", Verdict::Conflict),
            (416, "InvalidRange", Verdict::BeyondEnd),
            (500, "InternalError", Verdict::TryLater),
            (503, "SlowDown", Verdict::TryLater),
            (429, "", Verdict::TryLater),
            (400, "RequestTimeout", Verdict::TryLater),
            (404, "NoSuchBucket", Verdict::Refused(Fault::NoSuchBucket)),
            (403, "InvalidAccessKeyId", Verdict::Refused(Fault::UnknownAccessKey)),
            (404, "XAdminUserNotFound", Verdict::Refused(Fault::UnknownAccessKey)),
            (403, "SignatureDoesNotMatch", Verdict::Refused(Fault::WrongSecretKey)),
            (400, "ExpiredToken", Verdict::Refused(Fault::ExpiredCredentials)),
            (403, "RequestTimeTooSkewed", Verdict::Refused(Fault::WrongClock)),
            (403, "AccessDenied", Verdict::Refused(Fault::Denied)),
            (301, "PermanentRedirect", Verdict::Refused(Fault::WrongRegion)),
            (400, "AuthorizationHeaderMalformed", Verdict::Refused(Fault::WrongRegion)),
            (501, "NotImplemented", Verdict::Refused(Fault::NotSupported)),
            (400, "InvalidArgument", Verdict::Refused(Fault::Other)),
        ] {
            assert_eq!(answer(status, code).verdict(), verdict, "{status} {code}");
        }
    }

    #[test]
    fn a_404_of_a_server_that_is_not_s3_does_not_pass_for_an_absent_object() {
        assert_eq!(answer(404, "").verdict(), Verdict::Refused(Fault::NotS3));
    }

    #[test]
    fn a_refusal_names_the_setting_its_value_and_the_remedy() {
        let explain = |fault| {
            place(Some("AKIA1")).explain(fault, &Answer { bucket_region: Some("eu-west-1"), ..answer(400, "X") })
        };
        assert_eq!(
            explain(Fault::NoSuchBucket),
            "storage.url is s3://backups/kafka, and http://127.0.0.1:7070 has no bucket backups: create it, or correct the setting"
        );
        assert_eq!(
            explain(Fault::UnknownAccessKey),
            "storage.access_key_id is AKIA1, which is not known at http://127.0.0.1:7070: correct it"
        );
        assert_eq!(
            explain(Fault::WrongRegion),
            "storage.region is us-east-1, and bucket backups is in eu-west-1: correct the setting"
        );
        let of_the_chain = place(None).explain(Fault::UnknownAccessKey, &answer(403, ""));
        assert!(
            of_the_chain.starts_with(
                "storage.access_key_id is not set, and the access key of the AWS environment is not known"
            ),
            "{of_the_chain}"
        );
    }
}
