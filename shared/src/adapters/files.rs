//! Files of a folder that appear whole or not at all.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What the names of files end in that are not whole yet.
const UNFINISHED: &str = ".part";

/// A file that is being written beside its place. Dropped before its end, it is gone.
#[derive(Debug)]
pub struct NewFile {
    file: Option<io::BufWriter<File>>,
    unfinished: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Begins a file, and the folders above it. What a killed process had begun there is overwritten.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(UNFINISHED);
        let file = io::BufWriter::new(File::create(&unfinished)?);
        Ok(NewFile { file: Some(file), unfinished: unfinished.into(), path: path.to_owned() })
    }

    /// Lets the file appear, when all of it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn open(&mut self) -> io::Result<&mut io::BufWriter<File>> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is finished"))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Where it stays, the next run overwrites it.
            drop(fs::remove_file(&self.unfinished));
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?.flush()
    }
}

/// Writes a whole file.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// The bytes of a file; `None` where there is none.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Whether a folder is there and holds something but what is unfinished and a lock.
///
/// # Errors
/// When it cannot be read.
pub fn holds_something(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !name.to_string_lossy().ends_with(UNFINISHED) && name != LOCK {
            return Ok(true);
        }
    }
    Ok(false)
}

const LOCK: &str = ".highwater-lock";

/// Holds a folder for this process alone, until the file is dropped or the process ends; `None` where another one holds it.
///
/// # Errors
/// When the folder cannot be written.
pub fn lock(folder: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let file = File::create(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
