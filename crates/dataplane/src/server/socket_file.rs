//! A UNIX socket that listens, and its file: there while it does, never taken from a server that lives.

use crate::error::Error;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tokio::net::{UnixListener, UnixStream};

/// How often, and how long apart, the folder is asked for: other servers hold it for moments, while they bind.
const LOCK_TRIES_MAX: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Where a UNIX socket listens.
#[derive(Clone, Debug)]
pub struct SocketFileOptions {
    /// Its file; what is there already is replaced when it is a socket on which nobody listens.
    pub path: PathBuf,
    /// Who may connect, as the file's permissions: that takes the right to write. None: the process's umask says.
    pub mode: Option<u32>,
}

/// A listening socket. Its file goes with it.
#[derive(Debug)]
pub(super) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: another server may have put its own socket there meanwhile.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// Binds within a runtime; `door` is for the error's text.
    pub(super) fn bind(options: &SocketFileOptions, backlog: i32, door: &str) -> Result<Self, Error> {
        bind(options, backlog).map_err(|error| {
            let text = format!("Cannot listen on {} for {door}: {error}", options.path.display());
            match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::AlreadyExists => Error::invalid_argument(text),
                _ => Error::unavailable(text),
            }
        })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_some_and(|found| self.identity == Some(found)) {
            // What cannot be removed is a leftover that the next server replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn bind(options: &SocketFileOptions, backlog: i32) -> io::Result<SocketFile> {
    let path = &options.path;
    let address = SockAddr::unix(path)?;
    // Held while this looks and binds: a socket that is bound and does not listen yet looks like a leftover.
    let _folder = lock_folder(path)?;
    remove_leftover(path, &address)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address)?;
    if let Some(mode) = options.mode {
        // Nobody connects before it listens, so nobody slips in by the umask's mode.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(backlog)?;
    let listener = UnixListener::from_std(socket.into())?;
    Ok(SocketFile { listener, path: path.clone(), identity: identity(path) })
}

/// The folder of the socket, locked against servers that start in the same moment; none where folders cannot be
/// locked.
fn lock_folder(path: &Path) -> io::Result<Option<File>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = File::open(folder)?;
    for _ in 0..LOCK_TRIES_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("another process keeps {} locked", folder.display()),
    ))
}

fn remove_leftover(path: &Path, address: &SockAddr) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file is there and is no socket"));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Connected, or no place in its queue: somebody listens.
        Ok(()) => Err(in_use()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(in_use()),
        Err(error) => Err(error),
    }
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
