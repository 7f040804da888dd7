//! The programs of packaged functions: in a folder of packages (`<function>.zip`, as `./just package` writes them), or of the
//! programs themselves (`<function>`, as `cargo build` does).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use zip::{ZipArchive, result::ZipError};

/// What a package's program is called.
const PROGRAM: &str = "bootstrap";

/// The programs by the names of their functions.
pub(super) struct Packages {
    folder: PathBuf,
    programs: BTreeMap<&'static str, PathBuf>,
    /// Where packages are unpacked, as long as they are used.
    _unpacked: TempDir,
}

/// Why a packaged function cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is none.
    #[error("no package of {function} in {}: `./just package` writes them to dist/lambda/PROCESSOR", folder.display())]
    Missing {
        /// The function.
        function: &'static str,
        /// The folder.
        folder: PathBuf,
    },
    /// A package cannot be read.
    #[error("the package {} cannot be unpacked: build it again with `./just package`", file.display())]
    Unreadable {
        /// The package.
        file: PathBuf,
        /// Why.
        #[source]
        source: ZipError,
    },
    /// There is no folder to unpack into.
    #[error("there is no temporary folder to unpack packages into: set TMPDIR to one that can be written")]
    NoFolder(#[source] io::Error),
    /// It cannot be run.
    #[error("{} cannot be started: is it built for this machine's processor?", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no port for it.
    #[error("there is no port on the loopback for the runtime api of {function}")]
    NoPort {
        /// The function.
        function: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Packages {
    /// Finds and unpacks what is in a folder of these functions.
    pub(super) fn open(
        folder: &Path,
        functions: impl IntoIterator<Item = &'static str>,
    ) -> Result<Packages, PackageError> {
        let unpacked = TempDir::new().map_err(PackageError::NoFolder)?;
        let mut programs = BTreeMap::new();
        for name in functions {
            let (package, program) = (folder.join(format!("{name}.zip")), folder.join(name));
            if package.is_file() {
                let to = unpacked.path().join(name);
                unpack(&package, &to).map_err(|source| PackageError::Unreadable { file: package, source })?;
                programs.insert(name, to);
            } else if program.is_file() {
                programs.insert(name, program);
            }
        }
        Ok(Packages { folder: folder.to_owned(), programs, _unpacked: unpacked })
    }

    pub(super) fn program(&self, function: &str) -> Option<&Path> {
        self.programs.get(function).map(PathBuf::as_path)
    }

    pub(super) fn missing(&self, function: &'static str) -> PackageError {
        PackageError::Missing { function, folder: self.folder.clone() }
    }
}

fn unpack(package: &Path, to: &Path) -> Result<(), ZipError> {
    let mut archive = ZipArchive::new(File::open(package)?)?;
    io::copy(&mut archive.by_name(PROGRAM)?, &mut File::create(to)?)?;
    let mut permissions = fs::metadata(to)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    Ok(fs::set_permissions(to, permissions)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const FUNCTIONS: [&str; 3] = ["lag-monitor", "metrics-query", "segment-writer"];

    #[test]
    fn programs_come_out_of_packages_or_lie_beside_them() {
        let folder = TempDir::new().unwrap();
        let mut archive = ZipWriter::new(File::create(folder.path().join("segment-writer.zip")).unwrap());
        archive.start_file(PROGRAM, SimpleFileOptions::default()).unwrap();
        archive.write_all(b"#!/bin/sh\n").unwrap();
        archive.finish().unwrap();
        fs::write(folder.path().join("lag-monitor"), "#!/bin/sh\n").unwrap();
        fs::write(folder.path().join("metrics-query.zip"), "no package").unwrap();
        let opened = Packages::open(folder.path(), FUNCTIONS);
        let Err(PackageError::Unreadable { file, .. }) = opened else { panic!("it is no zip") };
        assert!(file.ends_with("metrics-query.zip"));

        fs::remove_file(file).unwrap();
        let packages = Packages::open(folder.path(), FUNCTIONS).unwrap();
        let program = packages.program("segment-writer").unwrap();
        assert_eq!(fs::read(program).unwrap(), b"#!/bin/sh\n");
        assert!(std::process::Command::new(program).status().unwrap().success(), "it can be run");
        assert_eq!(packages.program("lag-monitor"), Some(folder.path().join("lag-monitor").as_path()));
        assert_eq!(packages.program("metrics-query"), None);
        let missing = packages.missing("metrics-query").to_string();
        assert!(missing.starts_with("no package of metrics-query in "), "{missing}");
    }
}
