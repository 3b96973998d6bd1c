//! A file with one secret, as a container or systemd mounts it.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// More than any secret has: several master keys, or a URL with a long password.
const MAX_BYTES: u64 = 64 * 1024;
/// What everybody on the machine may do.
const OTHER_USERS: u32 = 0o007;

/// The secret without the line break that editors and `echo` put behind it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        format!("cannot read the file {shown}: {error}. Check the path, and that the user of the service may read it.")
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(format!("{shown} is a directory. Name the file with the secret in it."));
    }
    let mut bytes = Vec::new();
    // One byte more shows that there is more.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("the file {shown} has more than {MAX_BYTES} bytes, so it is no file with one secret."));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("the file {shown} is not text in UTF-8."))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    match secret.trim().is_empty() {
        true => Err(format!("the file {shown} is empty. Write the secret into it.")),
        false => Ok(secret.to_owned()),
    }
}

/// What to do if every user of the machine may read or change the file. Containers often mount secrets this way, so it
/// prevents nothing.
pub(super) fn open_to_others(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.permissions().mode();
    let shown = path.display();
    (mode & OTHER_USERS != 0)
        .then(|| format!("every user of this machine has access to {shown}. Run: chmod o= {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_is_read_without_the_line_break_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for (text, secret) in [("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\nb\n\n", "a\nb"), (" a ", " a ")] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).as_deref(), Ok(secret), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused_with_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let refused = |part: &str| {
            let why = read(&path).unwrap_err();
            assert!(why.contains(part) && why.contains("secret"), "{part}: {why}");
        };
        refused("No such file");
        for (bytes, part) in [
            (Vec::new(), "is empty"),
            (b" \n".to_vec(), "is empty"),
            (vec![0xff, 0xfe], "UTF-8"),
            (vec![b'a'; 64 * 1024 + 1], "more than 65536 bytes"),
        ] {
            fs::write(&path, bytes).unwrap();
            refused(part);
        }
        assert!(read(dir.path()).unwrap_err().contains("is a directory"));
        fs::write(&path, vec![b'a'; 64 * 1024]).unwrap();
        assert!(read(&path).is_ok());
    }

    #[test]
    fn only_what_everybody_may_read_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "a").unwrap();
        for (mode, is_open) in [(0o600, false), (0o440, false), (0o660, false), (0o444, true), (0o602, true)] {
            with_mode(&path, mode);
            assert_eq!(open_to_others(&path).is_some(), is_open, "{mode:o}");
        }
        assert_eq!(open_to_others(Path::new("/dev/null")), None, "a pipe or device is no file of the machine");
    }
}
