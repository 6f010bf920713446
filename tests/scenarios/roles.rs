//! Roles: the closed list of permissions, roles made of it, and who has which.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::{Answer, Client};

async fn make(admin: &Client, role: &str, permissions: &[&str]) -> Value {
    let new = json!({"role": role, "permissions": permissions});
    admin.post("/api/v1/roles", &new).await.json(201)
}

async fn assign(by: &Client, user_id: &str, role: &str) -> Answer {
    let body = json!({"user_id": user_id, "role": role});
    by.post("/api/v1/roles/assign", &body).await
}

async fn unassign(by: &Client, user_id: &str, role: &str) -> Answer {
    let body = json!({"user_id": user_id, "role": role});
    by.post("/api/v1/roles/unassign", &body).await
}

fn audited(app: &App, action: &str, subject: &str) -> i64 {
    app.number(&format!(
        "SELECT count(*) FROM audit_log WHERE action = '{action}' AND subject_id = '{subject}'"
    ))
}

#[tokio::test]
async fn the_closed_list_is_shown_to_whoever_is_signed_in() {
    let app = App::start().await;
    let admin = app.admin().await;
    let nobody = app.user(&admin, &[]).await;
    let listed = nobody.get("/api/v1/roles/permissions").await.json(200);
    let items = listed["items"].as_array().unwrap();
    let names: BTreeSet<&str> = items
        .iter()
        .map(|item| item["permission"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), items.len());
    assert!(names.contains("bots:read") && names.contains("roles:manage"));
    for item in items {
        assert!(!item["description"].as_str().unwrap().is_empty());
        assert_eq!(item["roles"][0], "admin", "{item}");
    }
    // The list is the one that is checked: the administrator has all of it.
    let me = admin.get("/api/v1/auth/me").await.json(200);
    let own: BTreeSet<&str> = me["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(own, names);
}

#[tokio::test]
async fn roles_are_made_changed_and_deleted() {
    let app = App::start().await;
    let admin = app.admin().await;
    let new = json!({
        "role": "content-team", "description": "Writes", "permissions": ["posts:write", "bots:read"],
    });
    let role = admin.post("/api/v1/roles", &new).await.json(201);
    assert_eq!(role["version"], 1);
    assert_eq!(role["built_in"], false);
    // In the order of the list, whatever the order they came in.
    assert_eq!(role["permissions"], json!(["bots:read", "posts:write"]));
    let path = "/api/v1/roles/content-team";
    assert_eq!(admin.get(path).await.json(200), role);
    let again = admin.post("/api/v1/roles", &new).await;
    again.problem(409, "role_taken");
    let built_in = json!({"role": "viewer", "permissions": []});
    let again = admin.post("/api/v1/roles", &built_in).await;
    again.problem(409, "role_taken");

    let change = json!({"permissions": ["bots:read"]});
    let changed = admin.patch_version(path, 1, &change).await.json(200);
    assert_eq!(changed["version"], 2);
    assert_eq!(changed["description"], "Writes");
    assert_eq!(changed["permissions"], json!(["bots:read"]));
    let stale = admin.patch_version(path, 1, &change).await;
    stale.problem(412, "stale_version");
    let same = admin.patch(path, &change).await.json(200);
    assert_eq!(same["version"], 2, "what is as it was is no change");
    assert_eq!(audited(&app, "role.changed", "content-team"), 1);

    admin.delete(path).await.nothing();
    admin.get(path).await.problem(404, "not_found");
    admin.delete(path).await.problem(404, "not_found");
    assert_eq!(audited(&app, "role.created", "content-team"), 1);
    assert_eq!(audited(&app, "role.deleted", "content-team"), 1);
}

#[tokio::test]
async fn what_is_no_role_is_refused_with_the_field() {
    let app = App::start().await;
    let admin = app.admin().await;
    for (body, pointer) in [
        (json!({"role": "x", "permissions": []}), "/role"),
        (json!({"role": "Upper", "permissions": []}), "/role"),
        (json!({"role": "assign", "permissions": []}), "/role"),
        (json!({"role": "two words", "permissions": []}), "/role"),
        (json!({"role": "fine"}), "/permissions"),
        (
            json!({"role": "fine", "permissions": ["bots:read", "bots:fly"]}),
            "/permissions/1",
        ),
        (
            json!({"role": "fine", "permissions": [], "description": "d".repeat(201)}),
            "/description",
        ),
    ] {
        let answer = admin.post("/api/v1/roles", &body).await;
        assert_eq!(answer.pointer(), pointer, "{}", answer.text);
    }
    assert_eq!(app.number("SELECT count(*) FROM roles"), 0);
    make(&admin, "fine", &[]).await;
    let answer = admin
        .patch("/api/v1/roles/fine", &json!({"permissions": ["bots:fly"]}))
        .await;
    assert_eq!(answer.pointer(), "/permissions/0");
}

#[tokio::test]
async fn built_in_roles_stay_as_they_are() {
    let app = App::start().await;
    let admin = app.admin().await;
    for role in ["admin", "operator", "reviewer", "viewer"] {
        let path = format!("/api/v1/roles/{role}");
        let before = admin.get(&path).await.json(200);
        assert_eq!(before["built_in"], true);
        let change = json!({"permissions": ["bots:read"]});
        let answer = admin.patch(&path, &change).await;
        answer.problem(409, "built_in_role");
        admin.delete(&path).await.problem(409, "built_in_role");
        assert_eq!(admin.get(&path).await.json(200), before);
    }
}

#[tokio::test]
async fn the_list_goes_by_name_page_by_page() {
    let app = App::start().await;
    let admin = app.admin().await;
    for role in ["zebra", "beta", "no-such", "alpha"] {
        make(&admin, role, &[]).await;
    }
    let mut found = Vec::new();
    let mut path = "/api/v1/roles?limit=3".to_owned();
    loop {
        let page = admin.get(&path).await.json(200);
        for item in page["items"].as_array().unwrap() {
            found.push(item["role"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/roles?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        found,
        [
            "admin", "alpha", "beta", "no-such", "operator", "reviewer", "viewer", "zebra"
        ]
    );
}

#[tokio::test]
async fn an_assignment_and_its_removal_are_felt_by_tokens_that_are_out() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = app.user(&admin, &[]).await;
    let bots = "/api/v1/bots/list";
    user.get(bots).await.problem(403, "forbidden");
    make(&admin, "reader", &["bots:read"]).await;
    let assigned = assign(&admin, &user.user_id, "reader").await.json(200);
    assert_eq!(assigned["roles"], json!(["reader"]));
    assert_eq!(assigned["permissions"], json!(["bots:read"]));
    user.get(bots).await.json(200);
    // A second time is no change.
    let again = assign(&admin, &user.user_id, "reader").await.json(200);
    assert_eq!(again, assigned);
    assert_eq!(audited(&app, "role.assigned", &user.user_id), 1);
    assign(&admin, &user.user_id, "operator").await.json(200);
    let me = user.get("/api/v1/auth/me").await.json(200);
    assert_eq!(me["roles"].as_array().unwrap().len(), 2);

    unassign(&admin, &user.user_id, "operator").await.json(200);
    user.get(bots).await.json(200);
    // Less of the role is felt as less of the roles is.
    let change = json!({"permissions": ["posts:read"]});
    let path = "/api/v1/roles/reader";
    admin.patch(path, &change).await.json(200);
    user.get(bots).await.problem(403, "forbidden");
    let change = json!({"permissions": ["bots:read"]});
    admin.patch(path, &change).await.json(200);
    user.get(bots).await.json(200);
    admin.delete(path).await.problem(409, "role_in_use");
    let left = unassign(&admin, &user.user_id, "reader").await.json(200);
    assert_eq!(left["roles"], json!([]));
    user.get(bots).await.problem(403, "forbidden");
    unassign(&admin, &user.user_id, "reader").await.json(200);
    assert_eq!(audited(&app, "role.unassigned", &user.user_id), 2);
    admin.delete(path).await.nothing();
}

#[tokio::test]
async fn an_assignment_names_a_user_and_a_role_that_are_there() {
    let app = App::start().await;
    let admin = app.admin().await;
    let user = app.user(&admin, &[]).await;
    for call in ["assign", "unassign"] {
        let path = format!("/api/v1/roles/{call}");
        for (user_id, role, pointer) in [
            ("x", "viewer", "/user_id"),
            (user.user_id.as_str(), "king", "/role"),
        ] {
            let body = json!({"user_id": user_id, "role": role});
            assert_eq!(admin.post(&path, &body).await.pointer(), pointer);
        }
        let body = json!({"user_id": "01890000-0000-7000-8000-000000000000", "role": "viewer"});
        admin.post(&path, &body).await.problem(404, "not_found");
    }
    // Made roles are roles for users too.
    make(&admin, "reader", &["bots:read"]).await;
    let path = format!("/api/v1/users/{}", user.user_id);
    let changed = admin.patch(&path, &json!({"roles": ["reader"]})).await;
    assert_eq!(changed.json(200)["roles"], json!(["reader"]));
    let answer = admin
        .patch(&path, &json!({"roles": ["viewer", "king"]}))
        .await;
    assert_eq!(answer.pointer(), "/roles/1");
    assert_eq!(admin.get(&path).await.json(200)["roles"], json!(["reader"]));
}

#[tokio::test]
async fn the_last_administrator_keeps_the_role() {
    let app = App::start().await;
    let admin = app.admin().await;
    let answer = unassign(&admin, &admin.user_id, "admin").await;
    answer.problem(409, "last_admin");
    // One who may not sign in does not count.
    let second = app.user(&admin, &["admin"]).await;
    let path = format!("/api/v1/users/{}", second.user_id);
    let locked = json!({"disabled": true});
    admin.patch(&path, &locked).await.json(200);
    let answer = unassign(&admin, &admin.user_id, "admin").await;
    answer.problem(409, "last_admin");
    let unlocked = json!({"disabled": false});
    admin.patch(&path, &unlocked).await.json(200);
    unassign(&admin, &admin.user_id, "admin").await.json(200);
    admin.get("/api/v1/users").await.problem(403, "forbidden");
}

#[tokio::test]
async fn of_removals_at_once_one_administrator_is_left() {
    let app = App::start().await;
    let admin = app.admin().await;
    for _ in 0..4 {
        let second = app.user(&admin, &["admin"]).await;
        let own = format!("/api/v1/users/{}", second.user_id);
        // Each of the two takes it from the other, and lays it down, all at the same time.
        let lay_down = json!({"roles": []});
        let (one, two, three, four) = tokio::join!(
            unassign(&admin, &second.user_id, "admin"),
            unassign(&second, &admin.user_id, "admin"),
            second.patch(&own, &lay_down),
            unassign(&admin, &admin.user_id, "admin"),
        );
        let administrators = app.number(
            "SELECT count(*) FROM user_roles r JOIN users u ON u.user_id = r.user_id
             WHERE r.role = 'admin' AND u.disabled_at IS NULL",
        );
        assert_eq!(administrators, 1, "{one:?} {two:?} {three:?} {four:?}");
        let answers = [one, two, three, four];
        assert!(answers.iter().any(|answer| answer.status == 200));
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer.status, 200 | 403 | 409)),
            "{answers:?}"
        );
        // Whoever is left gives it back to the first.
        if admin.get("/api/v1/users").await.status != 200 {
            assign(&second, &admin.user_id, "admin").await.json(200);
            unassign(&admin, &second.user_id, "admin").await.json(200);
        }
    }
}

#[tokio::test]
async fn a_permission_that_the_program_forgot_allows_nothing() {
    let app = App::start().await;
    let admin = app.admin().await;
    make(&admin, "old", &["bots:read"]).await;
    app.database()
        .execute_batch("UPDATE roles SET permissions = 'bots:fly bots:read' WHERE role = 'old'")
        .unwrap();
    let user = app.user(&admin, &["old"]).await;
    let me = user.get("/api/v1/auth/me").await.json(200);
    assert_eq!(me["permissions"], json!(["bots:read"]));
    let put = admin
        .send(Method::PUT, "/api/v1/roles/old", |request| {
            request.json(&json!({}))
        })
        .await;
    put.problem(405, "method_not_allowed");
    assert_eq!(put.header("allow"), "GET, HEAD, PATCH, DELETE");
}
