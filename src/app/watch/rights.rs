//! What a watching process may still do once its interfaces are open: as little as it needs.
//!
//! It becomes another user, gives up all capabilities and the way to get any (no_new_privs), may reach only the files that it was told of (Landlock), and may open
//! no socket and start no program (seccomp). The threads that parse bytes may besides open no file at all. What a kernel cannot do is told, and the rest is done.
//! What they need later they have: an open packet socket may be bound to an interface that was made anew.

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

/// What is told of a kernel that cannot guard files.
pub const NO_LANDLOCK: &str = "the kernel has no Landlock: files are guarded by the user's rights alone";

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
            Ok(RulesetStatus::NotEnforced) => missing.push(super::NO_LANDLOCK.to_owned()),
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
            // On x86-64 most calls have a second number (x32), which is another call to a filter; and calls of x32 alone are nothing that is needed here.
            let again = calls.iter().copied().chain(X32_ALONE).filter(|_| cfg!(target_arch = "x86_64")).map(|call| call | X32);
            let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = calls.iter().copied().chain(again).map(|call| (call, Vec::new())).collect();
            let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
            SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into()?)?.try_into()
        };
        let program = program().map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())
    }

    /// The bit by which calls of the x32 interface are told.
    const X32: i64 = 0x4000_0000;
    /// Calls that x32 has besides, among them another `execve`.
    const X32_ALONE: std::ops::RangeInclusive<i64> = 512..=547;
    /// Users that the process becomes where none is named.
    const USERS: &[&str] = &["portbook", "nobody"];
    /// The user that has nothing, where /etc/passwd has none of these.
    const NOBODY: u32 = 65_534;

    /// Ways to the outside: sockets, other programs, other processes, the kernel itself.
    const OUTSIDE: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
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
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_name_to_handle_at,
        libc::SYS_utimensat,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
        libc::SYS_removexattr,
        libc::SYS_inotify_add_watch,
        libc::SYS_memfd_create,
        libc::SYS_chdir,
        libc::SYS_accept,
        libc::SYS_accept4,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_creat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_link,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_symlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rmdir,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mknod,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chmod,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown,
    ];

    #[cfg(test)]
    #[allow(clippy::print_stdout, reason = "a test that cannot be tried says so")]
    mod tests {
        use landlock::{CompatLevel, Compatible};

        use super::*;

        type Tried = Result<(), std::io::ErrorKind>;

        fn tried<T>(answer: std::io::Result<T>) -> Tried {
            answer.map(drop).map_err(|error| error.kind())
        }

        const REFUSED: Tried = Err(std::io::ErrorKind::PermissionDenied);

        /// Whether this kernel has Landlock.
        fn has_landlock() -> bool {
            let required = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V1));
            required.and_then(|required| required.create()).is_ok()
        }

        #[test]
        fn a_thread_that_parses_bytes_cannot_open_a_file_and_the_others_still_can() {
            let folder = tempfile::tempdir().unwrap();
            let (known, new) = (folder.path().join("known"), folder.path().join("new"));
            fs::write(&known, "x").unwrap();
            let tries = std::thread::spawn(move || {
                confine_thread().unwrap();
                [
                    tried(fs::File::open(&known)),
                    tried(fs::File::open("/proc/self/mem")),
                    tried(fs::File::create(&new)),
                    tried(fs::create_dir(&new)),
                    tried(fs::rename(&known, &new)),
                    tried(fs::hard_link(&known, &new)),
                    tried(std::os::unix::fs::symlink(&known, &new)),
                    tried(fs::remove_file(&known)),
                    tried(fs::read_dir("/")),
                ]
            });
            assert_eq!(tries.join().unwrap(), [REFUSED; 9]);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }

        #[test]
        fn a_process_that_has_given_up_its_rights_opens_no_socket_starts_no_program_and_reaches_nothing_but_what_it_was_told_of() {
            let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (secret, new) = (other.path().join("secret"), folder.path().join("new"));
            fs::write(&secret, "x").unwrap();
            for (path, mode) in [(folder.path(), 0o777), (other.path(), 0o777), (secret.as_path(), 0o666)] {
                fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            }
            let allowed = Allowed { user: None, read: Vec::new(), write: vec![folder.path().to_owned()] };
            // Rights are a thread's until it starts others: the test's own are not touched.
            let (missing, outside, inside, beyond, status) = std::thread::spawn(move || {
                let missing = give_up(&allowed);
                let outside = [
                    tried(std::net::TcpListener::bind("127.0.0.1:0")),
                    tried(std::net::UdpSocket::bind("127.0.0.1:0")),
                    tried(std::os::unix::net::UnixDatagram::unbound()),
                    tried(std::process::Command::new("/bin/true").status()),
                ];
                let inside = tried(fs::write(&new, "x"));
                let beyond = [tried(fs::read(&secret)), tried(fs::write(&secret, "y")), tried(fs::read_dir("/etc"))];
                (missing, outside, inside, beyond, rustix::thread::no_new_privs().unwrap())
            })
            .join()
            .unwrap();
            assert!(missing.is_ok() && status, "{missing:?}");
            assert_eq!((outside, inside), ([REFUSED; 4], Ok(())));
            if has_landlock() {
                assert_eq!(beyond, [REFUSED; 3]);
            } else {
                println!("skipped: the kernel has no Landlock");
            }
        }

        #[test]
        fn a_user_is_found_by_name() {
            let all = "root:x:0:0:root:/root:/bin/sh\nportbook:x:998:997::/nonexistent:/usr/sbin/nologin\n";
            assert_eq!((user(all, "portbook"), user(all, "port")), (Some((998, 997)), None));
        }
    }
}
