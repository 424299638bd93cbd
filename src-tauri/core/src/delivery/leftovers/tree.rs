//! One directory held open, and everything below it reached from there, name by name, never through a link.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{Kind, Unsafe};

#[cfg(unix)]
pub(in super::super) use self::unix::{Tree, remove};

#[cfg(not(unix))]
pub(in super::super) use self::other::{Tree, remove};

fn unreadable(path: &str, error: impl Into<io::Error>) -> Unsafe {
    Unsafe::Unreadable(path.to_owned(), error.into().to_string())
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

    use rustix::fs::{
        AtFlags, CWD, Dev, Dir, FileType, Mode, OFlags, fstat, openat, renameat, statat, unlinkat,
    };
    use rustix::io::Errno;

    use super::{File, Kind, OsString, Path, Unsafe, fs, io, unreadable};

    const FOLDER: OFlags =
        OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

    /// Names of a folder that are looked at together.
    const NAMES: usize = 4_096;

    /// A directory of ours that a program was given.
    #[derive(Debug)]
    pub(in super::super::super) struct Tree {
        root: OwnedFd,
        disk: Dev,
    }

    impl Tree {
        /// Makes `dir`, mode 0700, and holds it.
        pub(in super::super::super) fn create(dir: &Path) -> io::Result<Self> {
            fs::DirBuilder::new().mode(0o700).create(dir)?;
            Self::hold(dir)
        }

        /// Holds the directory that is there.
        pub(in super::super::super) fn hold(dir: &Path) -> io::Result<Self> {
            let root = openat(CWD, dir, FOLDER, Mode::empty())?;
            let disk = fstat(&root)?.st_dev;
            Ok(Self { root, disk })
        }

        /// What lies directly in the folder `prefix`, which is empty or ends in a slash.
        pub(in super::super::super) fn list(&self, prefix: &str) -> Result<Vec<(OsString, Kind)>, Unsafe> {
            let folder = self.folder(prefix).map_err(|e| unreadable(prefix, e))?;
            let mut entries = Vec::new();
            for entry in Dir::read_from(&folder).map_err(|e| unreadable(prefix, e))? {
                let entry = entry.map_err(|e| unreadable(prefix, e))?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let stat = statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|e| unreadable(prefix, e))?;
                let kind = match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Symlink => Kind::Link,
                    _ if stat.st_dev != self.disk => Kind::OtherDisk,
                    FileType::Directory => Kind::Folder,
                    FileType::RegularFile => Kind::File {
                        size: u64::try_from(stat.st_size).unwrap_or(0),
                        single: stat.st_nlink == 1,
                    },
                    _ => Kind::Special,
                };
                entries.push((OsString::from_vec(name.to_vec()), kind));
            }
            Ok(entries)
        }

        /// Opens the file at `path` and makes it ours alone: mode 0600.
        pub(in super::super::super) fn open(&self, path: &str) -> io::Result<File> {
            let (folder, name) = self.parent(path)?;
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = File::from(openat(&folder, name, flags, Mode::empty())?);
            let meta = file.metadata()?;
            if !meta.is_file() || meta.nlink() != 1 || fstat(&file)?.st_dev != self.disk {
                return Err(io::Error::other("it is no plain file any more"));
            }
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            Ok(file)
        }

        /// Moves the file at `path`, open as `file`, to `to` on the same disk.
        pub(in super::super::super) fn take(&self, path: &str, file: &File, to: &Path) -> io::Result<()> {
            let (folder, name) = self.parent(path)?;
            renameat(&folder, name, CWD, to)?;
            let (moved, meant) = (fs::symlink_metadata(to)?, file.metadata()?);
            if (moved.dev(), moved.ino(), moved.nlink()) != (meant.dev(), meant.ino(), 1) {
                let _ = fs::remove_file(to);
                return Err(io::Error::other("it was exchanged while it was taken"));
            }
            Ok(())
        }

        fn parent<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a str)> {
            let (prefix, name) = path.rsplit_once('/').unwrap_or(("", path));
            Ok((self.folder(prefix)?, name))
        }

        fn folder(&self, prefix: &str) -> io::Result<OwnedFd> {
            let mut folder = self.root.try_clone()?;
            for name in prefix.split('/').filter(|name| !name.is_empty()) {
                folder = openat(&folder, name, FOLDER, Mode::empty())?;
            }
            Ok(folder)
        }
    }

    /// Removes `dir` with everything in it: closed folders, folders as deep as may be, a million files. `alive` is
    /// called now and then. A directory that is not there is fine.
    pub(in super::super::super) fn remove(dir: &Path, alive: &dyn Fn()) -> io::Result<()> {
        let root = match openat(CWD, dir, FOLDER, Mode::empty()) {
            Ok(root) => root,
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ACCESS) => {
                rustix::fs::chmodat(CWD, dir, Mode::RWXU, AtFlags::empty())?;
                openat(CWD, dir, FOLDER, Mode::empty())?
            }
            // Something else stands there now.
            Err(Errno::NOTDIR | Errno::LOOP) => return fs::remove_file(dir),
            Err(error) => return Err(error.into()),
        };
        rustix::fs::fchmod(&root, Mode::RWXU)?;
        loop {
            let names = some_names(&root)?;
            if names.is_empty() {
                break;
            }
            alive();
            for name in names {
                if !remove_entry(&root, &name)? {
                    empty_into(&root, &name, alive)?;
                }
            }
        }
        Ok(unlinkat(CWD, dir, AtFlags::REMOVEDIR)?)
    }

    /// Takes everything out of the folder `name`: files are removed, folders are moved up, so that no depth is
    /// too deep.
    fn empty_into(root: &OwnedFd, name: &std::ffi::CStr, alive: &dyn Fn()) -> io::Result<()> {
        rustix::fs::chmodat(root, name, Mode::RWXU, AtFlags::empty())?;
        let folder = openat(root, name, FOLDER, Mode::empty())?;
        loop {
            let names = some_names(&folder)?;
            if names.is_empty() {
                return Ok(());
            }
            alive();
            for inner in names {
                if !remove_entry(&folder, &inner)? {
                    // A folder that may not be written cannot be moved: its `..` would change.
                    rustix::fs::chmodat(&folder, inner.as_c_str(), Mode::RWXU, AtFlags::empty())?;
                    let above = format!("{:032x}", rand::random::<u128>());
                    renameat(&folder, inner.as_c_str(), root, above)?;
                }
            }
        }
    }

    /// True when the entry is gone; false for a folder that is not empty.
    fn remove_entry(folder: &OwnedFd, name: &std::ffi::CStr) -> io::Result<bool> {
        let kind = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let flags = if kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(folder.as_fd(), name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) if kind == FileType::Directory => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Some of the names in a folder: a million are not held in memory. None only when it is empty.
    fn some_names(folder: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes() != b"." && name.to_bytes() != b".." {
                names.push(name.to_owned());
            }
            if names.len() >= NAMES {
                break;
            }
        }
        Ok(names)
    }
}

#[cfg(not(unix))]
mod other {
    use std::path::PathBuf;

    use super::{File, Kind, OsString, Path, Unsafe, fs, io, unreadable};

    /// A directory of ours that a program was given.
    #[derive(Debug)]
    pub(in super::super::super) struct Tree {
        root: PathBuf,
    }

    impl Tree {
        /// Makes `dir`.
        pub(in super::super::super) fn create(dir: &Path) -> io::Result<Self> {
            fs::create_dir(dir)?;
            Self::hold(dir)
        }

        /// The directory that is there.
        pub(in super::super::super) fn hold(dir: &Path) -> io::Result<Self> {
            Ok(Self { root: dir.to_owned() })
        }

        /// What lies directly in the folder `prefix`, which is empty or ends in a slash.
        pub(in super::super::super) fn list(&self, prefix: &str) -> Result<Vec<(OsString, Kind)>, Unsafe> {
            let mut entries = Vec::new();
            for entry in fs::read_dir(self.root.join(prefix)).map_err(|e| unreadable(prefix, e))? {
                let entry = entry.map_err(|e| unreadable(prefix, e))?;
                let meta = fs::symlink_metadata(entry.path()).map_err(|e| unreadable(prefix, e))?;
                let kind = if meta.is_symlink() {
                    Kind::Link
                } else if meta.is_dir() {
                    Kind::Folder
                } else if meta.is_file() {
                    Kind::File { size: meta.len(), single: true }
                } else {
                    Kind::Special
                };
                entries.push((entry.file_name(), kind));
            }
            Ok(entries)
        }

        /// Opens the file at `path`.
        pub(in super::super::super) fn open(&self, path: &str) -> io::Result<File> {
            File::open(self.root.join(path))
        }

        /// Moves the file at `path` to `to` on the same disk.
        pub(in super::super::super) fn take(&self, path: &str, _: &File, to: &Path) -> io::Result<()> {
            fs::rename(self.root.join(path), to)
        }
    }

    /// Removes `dir` with everything in it. A directory that is not there is fine.
    pub(in super::super::super) fn remove(dir: &Path, _: &dyn Fn()) -> io::Result<()> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
