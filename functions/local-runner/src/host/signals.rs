//! The wish to stop: Ctrl-C and SIGTERM.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first wish to stop; at the second the process ends at once, with exit code 130.
pub fn stop() -> Result<CancellationToken, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        cancel.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        eprintln!("highwater: stopped at once; what was unfinished is read again by the next run");
        std::process::exit(130);
    });
    Ok(stop)
}
