//! The S3 server as a process of its own, on the disk.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use integration_tests::{eventually::eventually, programs, s3_server};

/// A running server; it ends, and what it holds goes, when dropped.
pub struct S3 {
    process: Child,
    address: SocketAddr,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// Requests by their kind, as the server's log names them.
pub type Requests = BTreeMap<String, usize>;

impl S3 {
    /// Starts one with this bucket.
    pub async fn start(bucket: &str) -> S3 {
        let folder = tempfile::tempdir().expect("a folder for the objects");
        std::fs::create_dir_all(folder.path().join("objects").join(bucket)).expect("the bucket's folder");
        // The port may be taken by another in between; then the server says so and the measurement ends.
        let log = folder.path().join("requests.log");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let process = Command::new(programs::tool("versitygw"))
            .args(["--port", &address.to_string(), "--access", s3_server::ACCESS_KEY])
            .args(["--secret", s3_server::SECRET_KEY, "--keep-alive", "--quiet", "--access-log"])
            .arg(&log)
            .arg("posix")
            .arg(folder.path().join("objects"))
            .stdout(Stdio::null())
            .spawn()
            .expect("versitygw starts");
        let answers = || async { TcpStream::connect(address).map_err(|error| error.to_string()) };
        eventually("versitygw to listen", Duration::from_secs(10), answers).await;
        S3 { process, address, log, _folder: folder }
    }

    /// What it was asked since it started.
    pub fn requests(&self) -> Requests {
        let log = std::fs::read_to_string(&self.log).expect("the server keeps a log");
        let kinds = log.split_whitespace().filter_map(|word| word.strip_prefix("s3_"));
        let mut requests = Requests::new();
        kinds.for_each(|kind| *requests.entry(kind.to_owned()).or_default() += 1);
        requests
    }

    /// Where it is.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        ended.expect("versitygw can be ended");
    }
}
