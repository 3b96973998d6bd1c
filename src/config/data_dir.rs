//! The keys that the service generates in the data directory if it uses its embedded database.

use crate::error::{Code, Error, Result};
use crate::random::random_bytes;
use crate::seal::KeyRing;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const MASTER_KEY: &str = "master-key";
const ADMIN_KEY: &str = "admin-key";

/// A key in the data directory.
#[derive(Debug)]
pub struct StoredKey {
    pub key: SecretString,
    /// This call generated it: an admin key must be shown now, once.
    pub is_new: bool,
}

/// The master key in `master-key`, in the form of `ENTRA_ASSETS_MASTER_KEY`; generated if it is missing, mode 0600.
/// Without it no stored secret can be decrypted. Back it up separately from the database.
pub fn load_or_create_master_key(data_dir: &Path) -> Result<StoredKey> {
    load_or_create(data_dir, MASTER_KEY, KeyRing::generate)
}

/// The admin key of the organization `default` in `admin-key`; generated if it is missing, mode 0600.
pub fn load_or_create_admin_key(data_dir: &Path) -> Result<StoredKey> {
    load_or_create(data_dir, ADMIN_KEY, || URL_SAFE_NO_PAD.encode(random_bytes::<32>()).into())
}

/// The file with the master key, if there is one.
pub fn master_key_file(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(MASTER_KEY)).filter(|path| path.exists())
}

/// The file with the admin key, if there is one.
pub fn admin_key_file(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(ADMIN_KEY)).filter(|path| path.exists())
}

fn load_or_create(data_dir: &Path, name: &str, make: impl FnOnce() -> SecretString) -> Result<StoredKey> {
    let path = data_dir.join(name);
    let failed = |what: &str, error: std::io::Error| {
        Error::new(
            Code::ConfigurationInvalid,
            format!(
                "Cannot {what} {}: {error}. Give this user read and write access to the data directory.",
                path.display()
            ),
        )
    };
    refuse_if_open_to_others(&path)?;
    if let Some(key) = read(&path).map_err(|e| failed("read", e))? {
        return Ok(StoredKey { key, is_new: false });
    }
    // As root: the user of the database must be able to pass through the data directory.
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(data_dir).map_err(|e| failed("create the folder of", e))?;
    // Written to another file, then linked: a crash leaves no incomplete key, and of two processes that start at the
    // same time one wins.
    let key = make();
    let unfinished = data_dir.join(format!("{name}.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{}", key.expose_secret()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&unfinished, &path));
    let _ = fs::remove_file(&unfinished);
    match written {
        Ok(()) => Ok(StoredKey { key, is_new: true }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match read(&path).map_err(|e| failed("read", e))? {
            Some(key) => Ok(StoredKey { key, is_new: false }),
            None => Err(failed("read", ErrorKind::NotFound.into())),
        },
        Err(error) => Err(failed("write", error)),
    }
}

/// Whether every user of the machine has access to a key. The group may read it: where a volume belongs to the group of a
/// container, the files in it are made so.
pub fn is_open_to_others(path: &Path) -> bool {
    const OTHER_USERS: u32 = 0o007;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHER_USERS != 0)
}

/// The file was made for its owner only, and in this folder nothing makes it readable but a mistake.
fn refuse_if_open_to_others(path: &Path) -> Result<()> {
    if !is_open_to_others(path) {
        return Ok(());
    }
    let shown = path.display();
    let detail = format!(
        "Every user of this machine has access to {shown}, so it may be known to others. Run `chmod 600 {shown}`, and \
         replace the key if somebody may have read it."
    );
    Err(Error::new(Code::ConfigurationInvalid, detail))
}

fn read(path: &Path) -> std::io::Result<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(std::io::Error::new(ErrorKind::InvalidData, "the file is empty; restore it from a backup"))
        }
        Ok(text) => Ok(Some(text.trim().to_owned().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let first = load_or_create_master_key(&data_dir).unwrap();
        assert!(first.is_new);
        assert!(KeyRing::parse(&first.key).is_ok());
        let mode = fs::metadata(data_dir.join("master-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = load_or_create_master_key(&data_dir).unwrap();
        assert!(!second.is_new);
        assert_eq!(first.key.expose_secret(), second.key.expose_secret());
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn an_admin_key_is_long_enough_to_be_accepted_as_a_setting() {
        let dir = tempfile::tempdir().unwrap();
        let admin = load_or_create_admin_key(dir.path()).unwrap();
        assert!(admin.key.expose_secret().len() >= 32);
        assert!(load_or_create_master_key(dir.path()).unwrap().key.expose_secret() != admin.key.expose_secret());
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master-key");
        load_or_create_master_key(dir.path()).unwrap();
        let with_mode = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            load_or_create_master_key(dir.path())
        };
        for mode in [0o604, 0o644, 0o602] {
            let error = with_mode(mode).unwrap_err();
            assert_eq!(error.code, Code::ConfigurationInvalid);
            assert!(error.detail.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
        for mode in [0o600, 0o400, 0o640] {
            assert!(with_mode(mode).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn an_empty_key_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("master-key"), "\n").unwrap();
        fs::set_permissions(dir.path().join("master-key"), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(load_or_create_master_key(dir.path()).unwrap_err().detail.contains("empty"));
    }
}
