//! `docs/PERMISSIONS.md` is made from the one list of permissions, and says what that list says.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use vivesphere_domain::permissions::{BuiltInRole, Permission};

/// Set, it has the test write the file instead of comparing.
const WRITE: &str = "WRITE_PERMISSIONS_DOCUMENT";

fn document() -> String {
    let mut text = String::from(
        "# Permissions\n\n\
         What a principal may do, and which built-in role allows it. The list is closed: it stands\n\
         in `shared/domain/src/permissions.rs`, from which the checks, the answers of\n\
         `GET /api/v1/roles/permissions` and this page come. Other roles are sets of these\n\
         permissions (`POST /api/v1/roles`); the scopes of an access key are some of its owner's.\n\n\
         Do not edit: `WRITE_PERMISSIONS_DOCUMENT=1 cargo test -p vivesphere-domain --test\n\
         permissions_document` writes it.\n\n",
    );
    for role in BuiltInRole::ALL {
        writeln!(text, "- **{role}** — {}.", role.description()).unwrap();
    }
    text.push_str("\n| permission | what it allows |");
    for role in BuiltInRole::ALL {
        write!(text, " {role} |").unwrap();
    }
    text.push_str("\n|---|---|");
    text.push_str(&":-:|".repeat(BuiltInRole::ALL.len()));
    text.push('\n');
    for permission in Permission::ALL {
        write!(text, "| `{permission}` | {} |", permission.description()).unwrap();
        for role in BuiltInRole::ALL {
            let mark = if role.permissions().contains(*permission) {
                "●"
            } else {
                " "
            };
            write!(text, " {mark} |").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_document_says_what_the_list_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PERMISSIONS.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, document()).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        found,
        document(),
        "docs/PERMISSIONS.md is out of date: run `{WRITE}=1 cargo test -p vivesphere-domain --test \
         permissions_document`"
    );
}
