use super::*;
use secrecy::ExposeSecret;

#[test]
fn host_settings_are_origins() {
    assert!(origin("http://127.0.0.1:9001").is_ok());
    for wrong in ["127.0.0.1:9001", "https://x/v1.0", "https://u@x", "ftp://x", "https://x/?a=1"] {
        assert!(origin(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn more_workers_than_there_are_connections_for_are_refused_with_what_would_fit() {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }
    let settings = |arguments: &[&str]| {
        let arguments = [""].iter().chain(arguments);
        <Cli as clap::Parser>::try_parse_from(arguments).unwrap().settings
    };
    let check = |workers: &str, connections: &str| {
        settings(&["--workers", workers, "--database-connections", connections]).check_connections()
    };
    // What is not set follows what is.
    for (arguments, workers, connections) in [
        (&[][..], 4, 16),
        (&["--workers", "16"], 16, 18),
        (&["--workers", "2"], 2, 16),
        (&["--database-connections", "5"], 3, 5),
        (&["--database-connections", "40"], 4, 40),
    ] {
        let settings = settings(arguments);
        assert_eq!((settings.concurrent_runs(), settings.database_connections()), (workers, connections));
        assert!(settings.check_connections().is_ok());
    }
    for (workers, connections) in [("4", "16"), ("6", "8"), ("2", "4"), ("248", "250")] {
        assert!(check(workers, connections).is_ok(), "{workers} workers, {connections} connections");
    }
    for (workers, connections, needed, fitting) in [("8", "8", 10, 6), ("3", "4", 5, 2), ("256", "250", 258, 248)] {
        let error = check(workers, connections).unwrap_err();
        assert_eq!(error.code, Code::ConfigurationInvalid);
        assert!(error.detail.contains(&format!("ENTRA_ASSETS_DATABASE_CONNECTIONS to {needed} or more")), "{error}");
        assert!(error.detail.contains(&format!("ENTRA_ASSETS_WORKERS to {fitting} or fewer")), "{error}");
    }
}

#[test]
fn a_short_admin_key_is_refused() {
    assert!(admin_key(&"a".repeat(31)).is_err());
    assert!(admin_key(&"a".repeat(32)).is_ok());
    for good in ["a b ".repeat(8) + "c", "ключ".repeat(8)] {
        assert!(admin_key(&good).is_ok(), "{good}");
    }
    assert_eq!(admin_key(&format!("{}\r\n", "a".repeat(32))).unwrap().expose_secret(), "a".repeat(32));
    for wrong in [" ", "\t", "\n "] {
        assert!(admin_key(&format!("{}{wrong}", "a".repeat(32))).is_err(), "{wrong:?}");
    }
    assert!(admin_key(&"a\tb".repeat(32)).is_err());
}
