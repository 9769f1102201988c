//! A disk that is full or read-only: nothing is half-written, the error says what is wrong, and writing goes on when it
//! can. A small file system of its own is mounted for that, where this is permitted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use assize_tests::{Client, Server, Setup, agent, answer, assize, policy, rule, ruling};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A file system in memory, of a few megabytes.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None, and a line that says so, where mounting isn't permitted.
    fn mount(megabytes: u32) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(disk.0.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        println!("skipped: mounting a file system isn't permitted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status();
        assert!(status.unwrap().success());
    }

    /// Leaves no byte free. Deleting the file frees them again.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.path().join("ballast");
        let mut ballast = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![1; size];
            while ballast.write_all(&block).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

fn ask(client: &Client, n: usize) -> assize_tests::Answer {
    let case = json!({
        "environment": "production", "kind": "prompt", "payload": { "prompt": format!("{n} {}", "x".repeat(20_000)) },
    });
    client.post("/v1/decisions", &case)
}

fn judging(server: &Server) -> Client {
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.5)), rule("rule", &ruling("warn", "HM"))]));
    tenant
}

fn verify(data: &Path) -> Value {
    assize(&["ledger", "verify", "--json", "--data", data.to_str().unwrap()]).expect(0).json()
}

#[test]
fn a_full_disk_refuses_decisions_and_keeps_what_there_is_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let mut server = Server::with_guests_and(Setup::bare().data(&disk.path().join("data")));
    let tenant = judging(&server);
    let mut made: Vec<String> = vec![ask(&tenant, 0).expect(201)["id"].as_str().unwrap().to_owned()];
    let ballast = disk.fill();

    // What the write-ahead log still has room for is taken.
    let mut refused = 0;
    for n in 1..2_000 {
        let answer = ask(&tenant, n);
        if answer.status == 201 {
            made.push(answer.json()["id"].as_str().unwrap().to_owned());
        } else {
            answer.problem(507);
            refused += 1;
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "the disk never became full: {} decisions were made", made.len());
    tenant.put("/v1/policies/tenant", &policy(&[])).problem(507);
    assert_eq!(server.anonymous().get("/healthz").status, 200);
    server.anonymous().get("/readyz").problem_naming(503, &["full"]);
    assert_eq!(tenant.decision(&made[0])["verdict"], "warn", "reading goes on");

    fs::remove_file(ballast).unwrap();
    let answer = ask(&tenant, 3_000).expect(201);
    made.push(answer["id"].as_str().unwrap().to_owned());
    assert_eq!(answer["verdict"], "warn", "the policy that couldn't be recorded isn't in force");
    assert_eq!(server.anonymous().get("/readyz").status, 200);

    let mut listed: Vec<String> = tenant.get("/v1/decisions?limit=1000").expect(200)["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["id"].as_str().unwrap().to_owned())
        .collect();
    listed.reverse();
    assert_eq!(listed, made, "every decision that was acknowledged, and no other");
    assert_eq!(verify(server.data())["faults"]["count"], 0);
    server.restart();
    assert_eq!(verify(server.data())["faults"]["count"], 0);
    assert_eq!(ask(&server.again(&tenant), 0).status, 201);
}

#[test]
fn an_emergency_stop_holds_even_where_it_cannot_be_recorded() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let server = Server::with_guests_and(Setup::bare().data(&disk.path().join("data")));
    let tenant = judging(&server);
    tenant.register("bot");
    let ballast = disk.fill();
    let full = (0..2_000).any(|n| ask(&tenant, n).status != 201);
    assert!(full, "the disk never became full");
    let stop = json!({ "operational_status": "emergency_stop", "reason": "now", "operator_id": "ana" });
    let answer = tenant.put("/v1/systems/bot/emergency-stop", &stop);
    assert!(answer.status == 200 || answer.problem(507).to_string().contains("repeat"), "{answer}");
    fs::remove_file(ballast).unwrap();
    assert_eq!(tenant.decide(Some("bot"), "development", "Hello")["reason"], "KILL_SWITCH_ACTIVE");
    tenant.put("/v1/systems/bot/emergency-stop", &stop).expect(200);
    assert_eq!(tenant.decide(Some("bot"), "development", "Hello")["reason"], "KILL_SWITCH_ACTIVE");
    assert_eq!(verify(server.data())["faults"]["count"], 0);
}

#[test]
fn a_read_only_disk_is_named_at_the_start_and_can_still_be_verified() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let data = disk.path().join("data");
    let mut server = Server::with_guests_and(Setup::bare().data(&data));
    let tenant = judging(&server);
    let id = ask(&tenant, 0).expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(server.stop(), 0);
    disk.remount_read_only();
    let (code, said) = Setup::bare().data(&data).refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
    assert_eq!(verify(&data)["faults"]["count"], 0);
    let replay = assize(&["replay", &id, "--json", "--data", data.to_str().unwrap()]).expect(0).json();
    assert_eq!(replay["identical"], true);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let data = file.path().join("data");
    let (code, said) = Setup::bare().data(&data).refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(data.to_str().unwrap()), "{said}");
}
