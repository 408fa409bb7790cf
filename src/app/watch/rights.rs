//! What a watching process may still do once its interfaces are open: as little as it needs.
//!
//! It becomes another user, gives up all capabilities and the way to get any (no_new_privs), may reach only the files that it was told of (Landlock), and may open
//! no socket and start no program (seccomp). The threads that parse bytes may besides open no file at all. What a kernel cannot do is told, and the rest is done.

use std::path::PathBuf;

/// What stays allowed.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// The user to become, where the process is root's.
    pub user: Option<String>,
    /// Folders and files that are read.
    pub read: Vec<PathBuf>,
    /// Folders in which files are written.
    pub write: Vec<PathBuf>,
}

#[cfg(target_os = "linux")]
pub use linux::{confine_thread, give_up};

/// Nothing can be given up here.
#[cfg(not(target_os = "linux"))]
pub fn give_up(_: &Allowed) -> Result<Vec<String>, String> {
    Ok(vec!["rights are not given up on this system".to_owned()])
}

/// Nothing can be given up here.
#[cfg(not(target_os = "linux"))]
pub fn confine_thread() -> Result<(), String> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs;

    use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus};
    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{CapabilitySet, CapabilitySets};
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    use super::Allowed;

    /// Gives up rights, for this thread and those that it starts. What could not be done, in words; an error where the process would keep rights that it can do without.
    pub fn give_up(allowed: &Allowed) -> Result<Vec<String>, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        if geteuid().is_root() {
            become_user(allowed.user.as_deref())?;
        }
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, sets).map_err(|error| failed("cannot give up capabilities", &error))?;
        rustix::thread::set_no_new_privs(true).map_err(|error| failed("cannot set no_new_privs", &error))?;
        let mut missing = Vec::new();
        match landlock(allowed) {
            Ok(RulesetStatus::NotEnforced) => missing.push("the kernel has no Landlock: files are guarded by the user's rights alone".to_owned()),
            Ok(_) => {}
            Err(error) => missing.push(failed("Landlock", &error)),
        }
        if let Err(error) = forbid(OUTSIDE) {
            missing.push(failed("seccomp", &error));
        }
        Ok(missing)
    }

    /// The calling thread will parse bytes: it may open no file.
    pub fn confine_thread() -> Result<(), String> {
        forbid(FILES)
    }

    fn become_user(name: Option<&str>) -> Result<(), String> {
        let all = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = match name {
            Some(name) => user(&all, name).ok_or_else(|| format!("--user {name}: there is no such user"))?,
            None => USERS.iter().find_map(|name| user(&all, name)).unwrap_or((NOBODY, NOBODY)),
        };
        let (user, group) = (Uid::from_raw(found.0), Gid::from_raw(found.1));
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            // Numbers beyond the kernel's last capability are refused.
            let _ = rustix::thread::remove_capability_from_bounding_set(capability);
        }
        let became = rustix::thread::set_thread_groups(&[group])
            .and_then(|()| rustix::thread::set_thread_res_gid(group, group, group))
            .and_then(|()| rustix::thread::set_thread_res_uid(user, user, user));
        became.map_err(|error| format!("cannot become user {}: {error}", found.0))
    }

    /// Number and group of a user, by /etc/passwd.
    fn user(all: &str, name: &str) -> Option<(u32, u32)> {
        let mut fields = all.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?.skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    }

    fn landlock(allowed: &Allowed) -> Result<RulesetStatus, landlock::RulesetError> {
        let abi = ABI::V5;
        let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?.create()?;
        for (paths, access) in [(&allowed.read, AccessFs::from_read(abi)), (&allowed.write, AccessFs::from_all(abi))] {
            // What is not there cannot be reached either.
            for folder in paths.iter().filter_map(|path| PathFd::new(path).ok()) {
                rules = rules.add_rule(PathBeneath::new(folder, access))?;
            }
        }
        Ok(rules.restrict_self()?.ruleset)
    }

    /// These calls are refused from now on.
    fn forbid(calls: &[i64]) -> Result<(), String> {
        let program = || -> Result<BpfProgram, seccompiler::BackendError> {
            let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = calls.iter().map(|call| (*call, Vec::new())).collect();
            let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
            SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into()?)?.try_into()
        };
        let program = program().map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())
    }

    /// Users that the process becomes where none is named.
    const USERS: &[&str] = &["portbook", "nobody"];
    /// The user that has nothing, where /etc/passwd has none of these.
    const NOBODY: u32 = 65_534;

    /// Ways to the outside: sockets, other programs, other processes, the kernel itself.
    const OUTSIDE: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_io_uring_setup,
    ];

    /// Ways to files.
    const FILES: &[i64] = &[
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_open_by_handle_at,
        libc::SYS_unlinkat,
        libc::SYS_renameat2,
        libc::SYS_linkat,
        libc::SYS_symlinkat,
        libc::SYS_mkdirat,
        libc::SYS_mknodat,
        libc::SYS_truncate,
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_creat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename,
    ];

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_thread_that_parses_bytes_cannot_open_a_file_and_the_others_still_can() {
            let opened = std::thread::spawn(|| {
                confine_thread().unwrap();
                fs::File::open("/etc/passwd").map(drop).map_err(|error| error.kind())
            });
            assert_eq!(opened.join().unwrap(), Err(std::io::ErrorKind::PermissionDenied));
            assert!(fs::File::open("/etc/passwd").is_ok());
        }

        #[test]
        fn a_process_that_has_given_up_its_rights_reaches_nothing_but_what_it_was_told_of() {
            let folder = tempfile::tempdir().unwrap();
            let other = tempfile::tempdir().unwrap();
            fs::write(other.path().join("secret"), "x").unwrap();
            let allowed = Allowed { user: None, read: Vec::new(), write: vec![folder.path().to_owned()] };
            // Rights are a thread's until it starts others: the test's own are not touched.
            let (missing, socket, status) = std::thread::spawn(move || {
                let missing = give_up(&allowed);
                let socket = std::net::TcpListener::bind("127.0.0.1:0").map(drop).map_err(|error| error.kind());
                (missing, socket, rustix::thread::no_new_privs().unwrap())
            })
            .join()
            .unwrap();
            assert!(missing.is_ok() && status, "{missing:?}");
            assert_eq!(socket, Err(std::io::ErrorKind::PermissionDenied));
        }

        #[test]
        fn a_user_is_found_by_name() {
            let all = "root:x:0:0:root:/root:/bin/sh\nportbook:x:998:997::/nonexistent:/usr/sbin/nologin\n";
            assert_eq!((user(all, "portbook"), user(all, "port")), (Some((998, 997)), None));
        }
    }
}
