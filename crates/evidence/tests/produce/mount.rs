//! A mounted file system whose files are computed: what is read is made at the first read, what is written takes
//! effect when the file is closed, and making a directory makes the files in it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

/// What the files say. The root directory's name is empty.
pub trait Attributes: Send + Sync + 'static {
    fn has_directory(&self, directory: &str) -> bool;
    fn has_file(&self, directory: &str, file: &str) -> bool;
    fn read(&self, directory: &str, file: &str) -> Result<Vec<u8>, Errno>;
    fn write(&self, directory: &str, file: &str, bytes: &[u8]);
    fn make(&self, directory: &str) -> Result<(), Errno>;
    fn remove(&self, directory: &str) -> Result<(), Errno>;
}

/// A mounted interface; unmounted when it goes.
pub struct Mounted {
    _session: BackgroundSession,
    directory: tempfile::TempDir,
}

impl Mounted {
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Mounts `attributes`; `None`, and a loud line, where this machine does not let us mount.
pub fn mount(attributes: impl Attributes) -> Option<Mounted> {
    let directory = tempfile::tempdir().unwrap();
    if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        skip(&format!("/dev/fuse cannot be opened: {error}"));
        return None;
    }
    let files = Files {
        attributes,
        nodes: Mutex::default(),
        handles: Mutex::default(),
    };
    match fuser::spawn_mount(files, directory.path(), &Config::default()) {
        Ok(session) => Some(Mounted {
            _session: session,
            directory,
        }),
        Err(error) => {
            skip(&format!("FUSE cannot be mounted: {error}"));
            None
        }
    }
}

/// Says so on the terminal itself: the test harness swallows what a passing test prints.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "!! SKIPPED {test}: {reason}");
}

struct Files<A> {
    attributes: A,
    nodes: Mutex<Vec<Node>>,
    handles: Mutex<HashMap<u64, Handle>>,
}

#[derive(Clone, PartialEq)]
struct Node {
    directory: String,
    file: Option<String>,
}

struct Handle {
    node: Node,
    made: Option<Vec<u8>>,
    written: Vec<u8>,
}

const NOTHING_IS_CACHED: Duration = Duration::ZERO;
const FIRST_NODE: u64 = 2;

impl<A: Attributes> Files<A> {
    fn node(&self, number: INodeNo) -> Node {
        if number == INodeNo::ROOT {
            return Node {
                directory: String::new(),
                file: None,
            };
        }
        let index = usize::try_from(number.0 - FIRST_NODE).unwrap();
        lock(&self.nodes)[index].clone()
    }

    fn number(&self, node: &Node) -> INodeNo {
        let mut nodes = lock(&self.nodes);
        let index = nodes.iter().position(|known| known == node).unwrap_or_else(|| {
            nodes.push(node.clone());
            nodes.len() - 1
        });
        INodeNo(FIRST_NODE + index as u64)
    }

    fn attr(number: INodeNo, node: &Node) -> FileAttr {
        let (kind, perm) = match node.file {
            Some(_) => (FileType::RegularFile, 0o600),
            None => (FileType::Directory, 0o700),
        };
        FileAttr {
            ino: number,
            size: 0,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl<A: Attributes> Filesystem for Files<A> {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let parent = self.node(parent);
        let name = name.to_str().unwrap().to_owned();
        let node = if self.attributes.has_file(&parent.directory, &name) {
            Node {
                directory: parent.directory,
                file: Some(name),
            }
        } else if parent.directory.is_empty() && self.attributes.has_directory(&name) {
            Node {
                directory: name,
                file: None,
            }
        } else {
            return reply.error(Errno::ENOENT);
        };
        let number = self.number(&node);
        reply.entry(&NOTHING_IS_CACHED, &Self::attr(number, &node), Generation(0));
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&NOTHING_IS_CACHED, &Self::attr(number, &self.node(number)));
    }

    fn mkdir(&self, _: &Request, _: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let directory = name.to_str().unwrap().to_owned();
        match self.attributes.make(&directory) {
            Ok(()) => {
                let node = Node { directory, file: None };
                let number = self.number(&node);
                reply.entry(&NOTHING_IS_CACHED, &Self::attr(number, &node), Generation(0));
            }
            Err(error) => reply.error(error),
        }
    }

    fn rmdir(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        match self.attributes.remove(name.to_str().unwrap()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let node = self.node(number);
        let mut handles = lock(&self.handles);
        let handle = handles.keys().max().map_or(1, |last| last + 1);
        handles.insert(
            handle,
            Handle {
                node,
                made: None,
                written: Vec::new(),
            },
        );
        reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut handles = lock(&self.handles);
        // A panic here would leave the kernel, and so the test, waiting for ever.
        let Some(handle) = handles.get_mut(&handle.0) else {
            return reply.error(Errno::EBADF);
        };
        let Some(file) = &handle.node.file else {
            return reply.error(Errno::EISDIR);
        };
        let made = match handle.made.take() {
            Some(made) => Ok(made),
            None => self.attributes.read(&handle.node.directory, file),
        };
        let bytes = match made {
            Ok(made) => handle.made.insert(made),
            Err(error) => return reply.error(error),
        };
        let start = bytes.len().min(usize::try_from(offset).unwrap());
        let end = bytes.len().min(start + size as usize);
        reply.data(&bytes[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut handles = lock(&self.handles);
        let Some(handle) = handles.get_mut(&handle.0) else {
            return reply.error(Errno::EBADF);
        };
        handle.written.extend(data);
        reply.written(u32::try_from(data.len()).unwrap());
    }

    // The kernel waits for this one when a file is closed; it does not wait for `release`. It also comes when a child
    // process closes its copy, so the handle stays.
    fn flush(&self, _: &Request, _: INodeNo, handle: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        if let Some(handle) = lock(&self.handles).get_mut(&handle.0)
            && !handle.written.is_empty()
            && let Some(file) = &handle.node.file
        {
            let written = std::mem::take(&mut handle.written);
            self.attributes.write(&handle.node.directory, file, &written);
        }
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        lock(&self.handles).remove(&handle.0);
        reply.ok();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// A directory with these files, for what a plain directory can show.
pub fn plain(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// A path at which nothing is.
pub fn nothing(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("nothing")
}
