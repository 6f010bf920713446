//! Nobody gives, takes or manages what they do not have themselves: not by roles, not by users.

use serde_json::json;
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;

/// Somebody with these permissions and no others.
async fn with(app: &App, admin: &Client, role: &str, permissions: &[&str]) -> Client {
    let new = json!({"role": role, "permissions": permissions});
    admin.post("/api/v1/roles", &new).await.json(201);
    app.user(admin, &[role]).await
}

#[tokio::test]
async fn a_manager_of_roles_gives_only_what_they_have() {
    let app = App::start().await;
    let admin = app.admin().await;
    let manager = with(&app, &admin, "manager", &["roles:manage", "bots:read"]).await;
    let user = app.user(&admin, &["operator"]).await;
    let assign = async |role: &str, call: &str| {
        let body = json!({"user_id": user.user_id, "role": role});
        manager.post(&format!("/api/v1/roles/{call}"), &body).await
    };
    let refused = assign("admin", "assign").await.problem(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains("permission"));
    assign("operator", "unassign")
        .await
        .problem(403, "forbidden");
    // To themselves neither.
    let own = json!({"user_id": manager.user_id, "role": "admin"});
    let answer = manager.post("/api/v1/roles/assign", &own).await;
    answer.problem(403, "forbidden");

    let make = async |permissions: &[&str]| {
        let new = json!({"role": "made", "permissions": permissions});
        manager.post("/api/v1/roles", &new).await
    };
    let refused = make(&["bots:read", "users:manage"]).await;
    let refused = refused.problem(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains("users:manage"));
    make(&["bots:read"]).await.json(201);
    let path = "/api/v1/roles/made";
    let more = json!({"permissions": ["bots:read", "posts:write"]});
    manager.patch(path, &more).await.problem(403, "forbidden");
    assign("made", "assign").await.json(200);
    assign("made", "unassign").await.json(200);
    // A role that allows more than they may is not theirs to change, less or more.
    admin.patch(path, &more).await.json(200);
    let less = json!({"permissions": []});
    manager.patch(path, &less).await.problem(403, "forbidden");
    manager.delete(path).await.problem(403, "forbidden");
    // Their own role neither, upwards.
    let own = json!({"permissions": ["roles:manage", "bots:read", "users:manage"]});
    let answer = manager.patch("/api/v1/roles/manager", &own).await;
    answer.problem(403, "forbidden");
}

#[tokio::test]
async fn a_manager_of_users_does_not_become_more_through_them() {
    let app = App::start().await;
    let admin = app.admin().await;
    let permissions = ["users:manage", "bots:read", "posts:read"];
    let manager = with(&app, &admin, "desk", &permissions).await;
    let new = |name: &str, roles: &[&str]| json!({"username": name, "password": "a long password", "roles": roles});
    let users = "/api/v1/users";
    let answer = manager.post(users, &new("mine", &["admin"])).await;
    answer.problem(403, "forbidden");
    let made = manager.post(users, &new("mine", &["desk"])).await.json(201);
    let mine = format!("{users}/{}", made["user_id"].as_str().unwrap());
    let promoted = json!({"roles": ["desk", "operator"]});
    manager
        .patch(&mine, &promoted)
        .await
        .problem(403, "forbidden");

    // Who sets an administrator's password is one; who locks them out is worse.
    let theirs = format!("{users}/{}", admin.user_id);
    for change in [
        json!({"password": "set by another"}),
        json!({"disabled": true}),
        json!({"roles": []}),
    ] {
        manager
            .patch(&theirs, &change)
            .await
            .problem(403, "forbidden");
    }
    manager.delete(&theirs).await.problem(403, "forbidden");
    admin.get("/api/v1/auth/me").await.json(200);

    // What they may do, they may let others do, and take away.
    let change = json!({"roles": [], "password": "another long one"});
    manager.patch(&mine, &change).await.json(200);
    manager.delete(&mine).await.nothing();
}
