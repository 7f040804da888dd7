//! The S3 server as a process of its own, on the disk.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use integration_tests::{eventually::eventually, programs, s3_server};

/// A running server; it ends, and what it holds goes, when dropped.
pub struct S3 {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl S3 {
    /// Starts one with this bucket.
    pub async fn start(bucket: &str) -> S3 {
        let folder = tempfile::tempdir().expect("a folder for the objects");
        std::fs::create_dir(folder.path().join(bucket)).expect("the bucket's folder");
        // The port may be taken by another in between; then the server says so and the measurement ends.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let process = Command::new(programs::tool("versitygw"))
            .args(["--port", &address.to_string(), "--access", s3_server::ACCESS_KEY])
            .args(["--secret", s3_server::SECRET_KEY, "--keep-alive", "--quiet", "posix"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("versitygw starts");
        let answers = || async { TcpStream::connect(address).map_err(|error| error.to_string()) };
        eventually("versitygw to listen", Duration::from_secs(10), answers).await;
        S3 { process, address, _folder: folder }
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
