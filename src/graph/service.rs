//! The services behind Graph that throttle apart from each other. Each has a limiter of its own.
//! Source: <https://learn.microsoft.com/en-us/graph/throttling-limits>; docs/graph.md, «Throttling».

use url::Url;

/// Who answers a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Service {
    /// Users, groups, applications and everything else of the directory.
    Directory,
    /// Intune, for devices that it manages.
    Intune,
}

/// Requests of one application in one tenant that Intune answers in ten seconds: 2,000 in twenty.
const INTUNE: u32 = 1_000;

impl Service {
    pub const ALL: [Self; 2] = [Self::Directory, Self::Intune];

    /// The service that a path leads to.
    pub fn of(url: &Url) -> Self {
        match url.path_segments().into_iter().flatten().nth(1) {
            Some("deviceManagement" | "deviceAppManagement") => Self::Intune,
            _ => Self::Directory,
        }
    }

    /// Its name, as processes that share its quota write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Intune => "intune",
        }
    }

    /// Units in ten seconds; `directory`: those of the directory, by the settings. A request to Intune is one.
    pub fn units(self, directory: u32) -> u32 {
        match self {
            Self::Directory => directory,
            Self::Intune => INTUNE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_service() {
        let of =
            |path: &str| Service::of(&Url::parse("https://graph.microsoft.com/v1.0/").unwrap().join(path).unwrap());
        assert_eq!(of("deviceManagement/managedDevices?$top=1"), Service::Intune);
        for path in ["devices?$top=1", "directory/administrativeUnits", "users/deviceManagement"] {
            assert_eq!(of(path), Service::Directory, "{path}");
        }
    }
}
