//! Native code that may be run, and the one place where it is loaded.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Native code that our compiler has just made, in this process or in one of its own, or that was authenticated while it was
/// copied here. There is no other way to get one: see the three functions that make it.
pub(crate) struct Native(Place);

/// Where only this process can change it.
enum Place {
    Memory(Vec<u8>),
    Nameless(File),
}

impl Native {
    /// Compiles a component.
    pub(crate) fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(component).map(|code| Self(Place::Memory(code)))
    }

    /// What a process of our own program compiled, see [`crate::compile`]: its output was read from the pipe that it was
    /// started with, which nobody else has. For [`crate::compiler`] alone.
    pub(crate) fn compiled(code: Vec<u8>) -> Self {
        Self(Place::Memory(code))
    }

    /// What was copied while it was hashed. For [`super::blob::verified`] alone, once the hash was found to be right.
    pub(super) fn verified(sink: Sink) -> Self {
        Self(sink.0)
    }

    /// The code, where it is in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Place::Memory(code) => Some(code),
            Place::Nameless(_) => None,
        }
    }

    /// Makes it a component of this engine: mapped from a file without a name in `private` if that can be done, else copied
    /// to memory.
    #[allow(unsafe_code, reason = "loading native code is unsafe; see where it is done")]
    pub(crate) fn component(self, engine: &Engine, private: Option<&Path>) -> wasmtime::Result<Component> {
        let place = match self.0 {
            Place::Memory(code) => match private.and_then(|folder| moved(folder, &code)) {
                Some(file) => Place::Nameless(file),
                None => Place::Memory(code),
            },
            place @ Place::Nameless(_) => place,
        };
        let code = match place {
            Place::Memory(code) => code,
            Place::Nameless(mut file) => {
                if let Some(path) = reopened(&file) {
                    // SAFETY: `deserialize_file` runs what the file holds, so it must be what wasmtime's compiler wrote, and
                    // stay so as long as it is mapped.
                    // - It is: a `Native` is made by `compile` or `compiled` from the compiler's own output, or by `verified`,
                    //   for `blob::checked`, which has checked, over the very bytes that it copied to this file, an HMAC under a key that only
                    //   `Compiled::keep` writes with, and it writes the compiler's output. wasmtime checks again that the
                    //   engine fits.
                    // - It stays so: the file was made by `nameless` with O_TMPFILE | O_EXCL, so it never had a name and can't
                    //   be given one; `path` is the kernel's own link to this process's descriptor, and the one writable
                    //   descriptor is `file`, which is closed at the end of this function without being written to. Whoever can
                    //   get at another process's descriptors can write to its memory, too.
                    match unsafe { Component::deserialize_file(engine, path) } {
                        Ok(component) => return Ok(component),
                        // Some folders can't hold code: they are mounted `noexec`.
                        Err(error) => tracing::debug!(%error, "compiled code can't be mapped: it is read"),
                    }
                }
                let mut code = Vec::new();
                file.rewind()?;
                file.read_to_end(&mut code)?;
                code
            }
        };
        // SAFETY: `deserialize` runs what it is given, so it must be what wasmtime's compiler wrote: it is, for the reasons
        // above, and it is in our own memory, of which it makes a copy.
        unsafe { Component::deserialize(engine, code) }
    }
}

/// Where code is copied to while it is hashed: a file without a name if there can be one, else memory.
pub(super) struct Sink(Place);

impl Sink {
    pub(super) fn new(private: Option<&Path>, length: u64) -> Self {
        Self(match private.and_then(nameless) {
            Some(file) => Place::Nameless(file),
            // As much as the file on disk has.
            None => Place::Memory(Vec::with_capacity(usize::try_from(length).unwrap_or_default())),
        })
    }

    /// Fails where the disk is full.
    pub(super) fn write(&mut self, part: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Place::Memory(code) => {
                code.extend_from_slice(part);
                Ok(())
            }
            Place::Nameless(file) => file.write_all(part),
        }
    }
}

/// A copy in a file without a name.
fn moved(folder: &Path, code: &[u8]) -> Option<File> {
    let mut file = nameless(folder)?;
    file.write_all(code).ok()?;
    Some(file)
}

/// A file that has no name and can't get one, for its owner alone; none where the system or the folder has no such thing.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR).ok().map(File::from)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

/// A way to open the same file once more, since wasmtime maps what it opens itself. None where `/proc` isn't the kernel's.
#[cfg(target_os = "linux")]
fn reopened(file: &File) -> Option<std::path::PathBuf> {
    use std::os::fd::AsRawFd as _;
    let of_the_kernel = rustix::fs::statfs("/proc/self/fd").is_ok_and(|it| it.f_type == rustix::fs::PROC_SUPER_MAGIC);
    of_the_kernel.then(|| format!("/proc/self/fd/{}", file.as_raw_fd()).into())
}

#[cfg(not(target_os = "linux"))]
fn reopened(_: &File) -> Option<std::path::PathBuf> {
    None
}
