//! The user that the server runs as, and the folders that this user can reach.

use crate::error::{Code, Error, Result};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The uid of `nobody` on most systems.
const NOBODY: u32 = 65534;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    /// This process is root and starts the server as this user.
    pub switch: bool,
}

impl Account {
    /// The owner of the cluster. For a new cluster: this user; if it is root, `postgres` or else `nobody`.
    pub fn choose(cluster: &Path) -> Result<Self> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        let owner = fs::metadata(cluster).ok().map(|m| (m.uid(), m.gid()));
        match owner {
            Some((owner, _)) if uid != 0 && owner != uid => Err(Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "The database in {} belongs to another user (uid {owner}; this process has uid {uid}). Start the \
                     service as that user or as root, or set ENTRA_ASSETS_DATA_DIR to another folder.",
                    cluster.display()
                ),
            )),
            _ if uid != 0 => Ok(Self { uid, gid, switch: false }),
            Some((uid, gid)) if uid != 0 => Ok(Self { uid, gid, switch: true }),
            _ => {
                let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
                let (uid, gid) =
                    find(&passwd, "postgres").or_else(|| find(&passwd, "nobody")).unwrap_or((NOBODY, NOBODY));
                Ok(Self { uid, gid, switch: true })
            }
        }
    }

    /// Whether this user may pass all folders of `path`, according to the mode bits.
    pub fn reaches(&self, path: &Path) -> bool {
        path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|m| self.passes(&m)))
    }

    fn passes(&self, folder: &Metadata) -> bool {
        let bit = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & bit != 0
    }
}

/// The uid and gid of a user in the text of `/etc/passwd`; not of root.
fn find(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(find(passwd, "postgres"), Some((101, 104)));
        assert_eq!(find(passwd, "root"), None);
        assert_eq!(find(passwd, "nobody"), None);
    }

    #[test]
    fn a_private_parent_keeps_a_stranger_out() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let stranger = Account { uid: 4_000_000, gid: 4_000_000, switch: true };
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.reaches(&inner));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.reaches(&inner));
    }
}
