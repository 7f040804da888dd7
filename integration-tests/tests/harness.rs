//! The harness itself: what it says about a server or a process must be so.

use std::{process::Command, time::Duration};

use integration_tests::{gate::Gate, process::Process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const SECONDS_10: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_shut_gate_breaks_connections_and_lets_none_pass_until_it_opens() {
    let server = echo_server().await;
    let gate = Gate::in_front_of(&server).await;
    let mut before = TcpStream::connect(gate.address()).await.expect("the open gate answers");
    assert!(echoes(&mut before).await);

    gate.shut();
    let mut during = TcpStream::connect(gate.address()).await.expect("the port stays");
    assert!(!echoes(&mut during).await);
    assert!(!echoes(&mut before).await);

    gate.open();
    let mut after = TcpStream::connect(gate.address()).await.expect("the open gate answers");
    assert!(echoes(&mut after).await);
}

async fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

async fn echoes(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 2];
    stream.write_all(b"hi").await.is_ok() && stream.read_exact(&mut answer).await.is_ok() && &answer == b"hi"
}

#[tokio::test]
async fn a_process_is_watched_interrupted_and_killed() {
    // Whoever runs this in the background of a script has its children ignore an interrupt.
    let says = ["--default-signal=INT", "sh", "-c", "echo ready; echo beside >&2; exec sleep 60"];
    let mut patient = Process::start(Command::new("env").args(says));
    patient.printed("ready", SECONDS_10).await;
    patient.printed("beside", SECONDS_10).await;
    assert!(patient.is_running());
    patient.interrupt();
    assert!(!patient.ended(SECONDS_10).await.success());

    let mut killed = Process::start(Command::new("sleep").arg("60"));
    killed.kill();
    assert!(!killed.is_running());
}

#[tokio::test]
#[should_panic(expected = "a thing that never comes; at last: not yet")]
async fn waiting_for_what_never_comes_says_the_last_refusal() {
    let refuse = || async { Err::<(), _>("not yet".to_owned()) };
    integration_tests::eventually::eventually("a thing that never comes", Duration::from_millis(30), refuse).await;
}
