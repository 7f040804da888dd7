//! Programs that tests run: our own binaries, and the tools that `infra/tools` made ready.

use std::path::{Path, PathBuf};

/// A folder of other binaries of the same names, as packages have them: they are tested in the place of those built here.
const OTHER_BINARIES: &str = "HIGHWATER_TEST_BINARIES";

/// A binary of this workspace, built beside the tests; `cargo test` builds this package's own binaries only.
pub fn binary(name: &str) -> PathBuf {
    if let Some(other) = std::env::var_os(OTHER_BINARIES).map(|folder| Path::new(&folder).join(name))
        && other.exists()
    {
        return other;
    }
    let this = std::env::current_exe().expect("the path of this program");
    let folder = this.parent().expect("a program is in a folder");
    // Tests are in target/<profile>/deps, programs one above.
    let folder = if folder.ends_with("deps") { folder.parent().expect("deps is in a folder") } else { folder };
    existing(folder.join(name), "`cargo build --workspace --all-targets` builds it")
}

/// A tool: `chromium`, `kcat`, `prometheus`, `promtool` or `versitygw`.
pub fn tool(name: &str) -> PathBuf {
    existing(tools().join("bin").join(name), "`./just prepare` makes it ready")
}

/// A program of the Python environment: `python` (with DuckDB, pyarrow and Playwright), `aws` or `schemathesis`.
pub fn python_tool(name: &str) -> PathBuf {
    existing(tools().join("venv/bin").join(name), "`./just prepare` makes it ready")
}

/// A program that checks and emulates deployments: `cargo-lambda`.
pub fn deploy_tool(name: &str) -> PathBuf {
    existing(tools().join("deploy/bin").join(name), "`infra/tools/deploy.sh` makes it ready")
}

fn tools() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    std::env::var_os("HIGHWATER_TEST_TOOLS").map_or_else(default, PathBuf::from)
}

fn existing(path: PathBuf, remedy: &str) -> PathBuf {
    assert!(path.exists(), "there is no {}: {remedy}", path.display());
    path
}
