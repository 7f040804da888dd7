//! A gate in front of a server: a test shuts it, and the server cannot be reached until it opens again.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes connections on to a server while it is open. Kafka's clients go around it, to the address the broker tells.
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Gate {
    /// An open gate on a free port of the loopback, in front of `server` (`host:port`).
    pub async fn in_front_of(server: &str) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port of the loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (open, state) = watch::channel(true);
        let listening = tokio::spawn(listen(listener, Arc::from(server), state));
        Gate { address, open, listening }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks all connections; new ones are closed at once.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections pass again.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, server: Arc<str>, open: watch::Receiver<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        if *open.borrow() {
            tokio::spawn(pass(client, Arc::clone(&server), open.clone()));
        }
    }
}

async fn pass(mut client: TcpStream, server: Arc<str>, mut open: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(&*server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Shut, or the gate is gone: both ends are dropped.
        _ = open.wait_for(|open| !open) => {}
    }
}
