//! Components that are kept compiled: the same answers for the same fuel, nothing from the folder is trusted, and nothing that
//! goes wrong with it keeps a plugin from running.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use assize_ledger::Digest;
use assize_sandbox::{CompiledConfig, CompiledCounts, LoadError, Plugin, Sandbox, SandboxConfig, Settings, Subject};
use assize_tests::{binary, bundled, guest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::calls::trace;
use crate::{GUESTS, RUNTIME, case, limits};

/// A folder for compiled components, and a key elsewhere.
struct Place {
    folder: TempDir,
    keys: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> CompiledConfig {
        CompiledConfig {
            folder: self.folder.path().to_owned(),
            key: self.keys.path().join("state/key"),
            private: self.keys.path().to_owned(),
            max_bytes: 1 << 30,
            read_only: false,
        }
    }

    /// A host that starts.
    fn host(&self) -> Sandbox {
        host(self.config())
    }

    /// Its files, from the least recently used.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        files
    }
}

fn host(compiled: CompiledConfig) -> Sandbox {
    Sandbox::new(SandboxConfig { slots: 4, compiled: Some(compiled), ..SandboxConfig::default() }).unwrap()
}

fn counts(sandbox: &Sandbox) -> CompiledCounts {
    sandbox.compiled().unwrap()
}

/// Everything of some calls that must never differ.
fn traces(plugin: &Plugin) -> Vec<String> {
    let limits = limits(&GUESTS[&"test/hostile".parse().unwrap()].package);
    let deeds = ["answer", "loop", "fill", "recurse", "grow-memory", "flood-log", "trap", "panic", "fail"];
    let ask = |deed: &str| {
        let settings: Value = json!({ "do": deed });
        let settings = Settings::parse(&settings.to_string()).unwrap();
        let subject = Subject::new(case(&json!({ "prompt": "Hello" })));
        trace(&RUNTIME.block_on(plugin.assess(&settings, &subject, &limits)))
    };
    // Twice: in a fresh slot of the pool, and in one that was used.
    deeds.into_iter().chain(deeds).map(ask).collect()
}

fn hostile() -> (Vec<u8>, Vec<String>) {
    (guest("hostile"), traces(&GUESTS[&"test/hostile".parse().unwrap()].plugin))
}

#[test]
fn what_was_kept_answers_as_what_was_just_compiled() {
    let (place, (component, freshly)) = (Place::new(), hostile());
    let first = place.host();
    assert!(first.load_kept(Digest::of(&component)).unwrap().is_none());
    assert_eq!(traces(&first.load(&component).unwrap()), freshly);
    assert_eq!(counts(&first), CompiledCounts { misses: 1, ..CompiledCounts::default() });
    drop(first);

    let second = place.host();
    // Without the component's bytes.
    let kept = second.load_kept(Digest::of(&component)).unwrap().unwrap();
    assert_eq!(kept.digest(), Digest::of(&component));
    assert_eq!(traces(&kept), freshly);
    assert_eq!(traces(&second.load(&component).unwrap()), freshly);
    assert_eq!(counts(&second), CompiledCounts { hits: 2, ..CompiledCounts::default() });
}

#[test]
fn a_process_of_its_own_compiles_the_same() {
    let (place, (component, freshly)) = (Place::new(), hostile());
    let config = SandboxConfig {
        slots: 4,
        compiled: Some(place.config()),
        compiler: Some(binary()),
        ..SandboxConfig::default()
    };
    let beside = Sandbox::new(config).unwrap();
    assert_eq!(traces(&beside.load(&component).unwrap()), freshly);
    assert_eq!(traces(&place.host().load_kept(Digest::of(&component)).unwrap().unwrap()), freshly);
    let broken = beside.load(&component[..component.len() / 2]).unwrap_err();
    assert!(matches!(&broken, LoadError::Compile(_)), "{broken}");
    // What takes too long is ended, and isn't found the next time.
    let another: Arc<[u8]> = bundled("assize-ethical-1.0.0").into();
    let digest = Digest::of(&another);
    let slow = RUNTIME.block_on(beside.load_bounded(another, Duration::from_millis(1))).unwrap_err();
    assert!(matches!(slow, LoadError::TooSlow(_)), "{slow}");
    assert!(beside.load_kept(digest).unwrap().is_none());
}

#[test]
fn a_program_that_is_no_compiler_is_no_reason_not_to_compile() {
    let (component, freshly) = hostile();
    let compiler = Some(PathBuf::from("/nowhere/assize"));
    let sandbox = Sandbox::new(SandboxConfig { slots: 4, compiler, ..SandboxConfig::default() }).unwrap();
    assert_eq!(traces(&sandbox.load(&component).unwrap()), freshly);
}

#[test]
fn a_file_that_was_altered_anywhere_is_refused_and_made_anew() {
    let (place, (component, freshly)) = (Place::new(), hostile());
    place.host().load(&component).unwrap();
    let file = place.files().pop().unwrap();
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    // Magic, engine, component, length and authentication code, then the code from its first byte to its last.
    let header = [0, 8, 39, 40, 71, 72, 79, 80, 111].map(flipped);
    let steps = 16;
    let code = (0..=steps).map(|step| flipped(112 + (whole.len() - 113) * step / steps));
    let lengths = [0, 1, 111, 112, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec());
    let longer = [[whole.as_slice(), b"x"].concat()];
    for (n, altered) in header.into_iter().chain(code).chain(lengths).chain(longer).enumerate() {
        fs::write(&file, &altered).unwrap();
        let sandbox = place.host();
        assert!(sandbox.load_kept(Digest::of(&component)).unwrap().is_none(), "{n}");
        assert_eq!(counts(&sandbox).refused, 1, "{n}");
        assert!(!file.exists(), "{n}");
    }
    let sandbox = place.host();
    assert_eq!(traces(&sandbox.load(&component).unwrap()), freshly);
    assert_eq!(counts(&sandbox).misses, 1);
    assert_eq!(counts(&place.host()).refused, 0);
    assert!(place.host().load_kept(Digest::of(&component)).unwrap().is_some());
}

#[test]
fn one_component_never_passes_for_another() {
    let place = Place::new();
    let (one, other) = (guest("hostile"), guest("rule-echo"));
    place.host().load(&one).unwrap();
    let file = place.files().pop().unwrap();
    let renamed = file.to_str().unwrap().replace(&Digest::of(&one).to_string(), &Digest::of(&other).to_string());
    fs::copy(&file, renamed).unwrap();
    let sandbox = place.host();
    assert!(sandbox.load_kept(Digest::of(&other)).unwrap().is_none());
    assert_eq!(counts(&sandbox).refused, 1);
}

#[test]
fn what_another_key_made_is_refused() {
    let (ours, theirs, (component, freshly)) = (Place::new(), Place::new(), hostile());
    ours.host().load(&component).unwrap();
    theirs.host().load(&component).unwrap();
    // Under our name, as somebody would who can write to the folder and doesn't have the key.
    fs::copy(&theirs.files()[0], &ours.files()[0]).unwrap();
    let sandbox = ours.host();
    assert_eq!(traces(&sandbox.load(&component).unwrap()), freshly);
    assert_eq!(counts(&sandbox), CompiledCounts { refused: 1, misses: 1, ..CompiledCounts::default() });
    // With another key, what is there isn't even looked at.
    fs::copy(theirs.keys.path().join("state/key"), ours.keys.path().join("state/key")).unwrap();
    let sandbox = ours.host();
    sandbox.load(&component).unwrap();
    assert_eq!(counts(&sandbox), CompiledCounts { misses: 1, ..CompiledCounts::default() });
    assert_eq!(ours.files().len(), 2);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_or_that_is_none_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let component = guest("hostile");
    place.host().load(&component).unwrap();
    let key = place.config().key;
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&place.files()[0]).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let sandbox = place.host();
    assert_eq!(sandbox.compiled(), None);
    sandbox.load(&component).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "abc", &"z".repeat(64), &"00".repeat(33)] {
        fs::write(&key, text).unwrap();
        assert_eq!(place.host().compiled(), None, "{text:?}");
        assert_eq!(fs::read_to_string(&key).unwrap(), text, "somebody's file stays");
    }
}

#[test]
fn the_least_recently_used_go_first_and_never_those_that_are_loaded() {
    let place = Place::new();
    let components = ["assize-technical-1.0.0", "assize-ethical-1.0.0", "assize-regulatory-1.0.0"].map(bundled);
    let size = |files: &[PathBuf]| files.iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    for component in &components {
        place.host().load(component).unwrap();
    }
    let sizes = place.files().iter().map(|file| fs::metadata(file).unwrap().len()).collect::<Vec<_>>();
    let all = size(&place.files());
    let age = |component: &[u8], seconds: u64| {
        let digits = Digest::of(component).to_string();
        let file = place.files().into_iter().find(|file| file.to_str().unwrap().contains(&digits)).unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().append(true).open(file).unwrap().set_modified(then).unwrap();
    };
    for (component, seconds) in components.iter().zip([3_000, 2_000, 1_000]) {
        age(component, seconds);
    }
    // Room for three files like these.
    let full = host(CompiledConfig { max_bytes: all + sizes.iter().min().unwrap() / 2, ..place.config() });
    let oldest = full.load_kept(Digest::of(&components[0])).unwrap().unwrap();
    age(&components[0], 4_000);
    let more = guest("hostile");
    let loaded = full.load(&more).unwrap();
    let there = |sandbox: &Sandbox, component: &[u8]| sandbox.load_kept(Digest::of(component)).unwrap().is_some();
    let later = place.host();
    assert!(there(&later, &components[0]), "it is in use");
    assert!(!there(&later, &components[1]));
    assert!(there(&later, &more));
    assert!(counts(&full).evicted >= 1);
    assert!(size(&place.files()) <= all + sizes[0] / 2);
    drop((oldest, loaded));

    // What doesn't fit beside what is loaded isn't kept, and runs.
    let small = host(CompiledConfig { max_bytes: 1_000, ..place.config() });
    assert!(small.load(&bundled("assize-alert-1.0.0")).is_ok());
    assert_eq!(counts(&small), CompiledCounts { misses: 1, unkept: 1, ..CompiledCounts::default() });
}

#[test]
fn hosts_that_share_a_folder_and_a_key_use_each_others_work_at_once() {
    let (place, component) = (Place::new(), guest("hostile"));
    let loads: Vec<_> = (0..4)
        .map(|_| {
            let (sandbox, component) = (place.host(), component.clone());
            std::thread::spawn(move || (sandbox.load(&component).unwrap(), counts(&sandbox)).1)
        })
        .collect();
    for load in loads {
        let CompiledCounts { hits, misses, refused, unkept, .. } = load.join().unwrap();
        assert_eq!((hits + misses, refused, unkept), (1, 0, 0));
    }
    assert_eq!(place.files().len(), 1);
    assert!(place.host().load_kept(Digest::of(&component)).unwrap().is_some());
}

#[test]
fn a_folder_that_cant_be_written_to_or_is_gone_keeps_nothing_from_running() {
    let (place, (component, freshly)) = (Place::new(), hostile());
    // No file can be made there, not even by root.
    let nowhere = host(CompiledConfig { folder: "/proc/assize".into(), ..place.config() });
    assert_eq!(nowhere.compiled(), None);
    assert_eq!(traces(&nowhere.load(&component).unwrap()), freshly);
    let unwritable = host(CompiledConfig { folder: "/proc/self".into(), ..place.config() });
    assert_eq!(traces(&unwritable.load(&component).unwrap()), freshly);
    assert_eq!(counts(&unwritable), CompiledCounts { misses: 1, unkept: 1, ..CompiledCounts::default() });
    // Who may only read uses what is there, and makes nothing.
    let reader = |place: &Place| host(CompiledConfig { read_only: true, max_bytes: 0, ..place.config() });
    assert_eq!(reader(&Place::new()).compiled(), None);
    assert!(reader(&place).load_kept(Digest::of(&component)).unwrap().is_none());
    reader(&place).load(&component).unwrap();
    assert!(place.files().is_empty());
    place.host().load(&component).unwrap();
    assert_eq!(traces(&reader(&place).load_kept(Digest::of(&component)).unwrap().unwrap()), freshly);
    // Without a place for files without a name, code runs from memory.
    for private in ["/proc", "/nowhere"] {
        let memory = host(CompiledConfig { private: Path::new(private).to_owned(), ..place.config() });
        assert_eq!(traces(&memory.load_kept(Digest::of(&component)).unwrap().unwrap()), freshly);
        assert_eq!(counts(&memory).hits, 1);
    }
}

#[test]
fn what_runs_stays_what_it_was_whatever_becomes_of_the_file() {
    let (place, (component, freshly)) = (Place::new(), hostile());
    place.host().load(&component).unwrap();
    let sandbox = place.host();
    let plugin = sandbox.load_kept(Digest::of(&component)).unwrap().unwrap();
    // In place, not by a new file: whoever mapped this one would run it.
    let file = &place.files()[0];
    let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
    fs::write(file, vec![0xcc; length]).unwrap();
    assert_eq!(traces(&plugin), freshly);
    fs::write(file, b"").unwrap();
    assert_eq!(traces(&plugin), freshly);
}
