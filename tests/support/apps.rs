//! Small applications below `/app`, for what scripts do over several requests.
//!
//! | path | answer |
//! |---|---|
//! | `/app/list/N?page=K` | page K of N, with a link to the next in its JSON and in its header |
//! | `/app/broken/N?page=K` | the same, but page 3 is a 500 |
//! | `/app/login` | a login form; sent with the password `secret` a welcome, else the form again |
//! | `/app/token/LIFE` | an OAuth 2 token, `t1`, `t2` and so on, for so many seconds |
//! | `/app/busy/TIMES` | so many times 503 with `retry-after`, then 200 |
//! | `/app/guarded` | 401 to the token `t1`, 200 to others |
//! | `/app/graphql` | operation and variables; `errors` when the text has `boom` in it |

use serde_json::{Value, json};

use super::Seen;

const JSON: &str = "content-type: application/json\r\n";

/// Status, header lines and body; `nth` counts the requests to this path.
pub(super) fn answer(seen: &Seen, path: &[&str], nth: usize) -> (u16, String, String) {
    match path {
        ["busy", times] if nth <= times.parse().unwrap() => {
            (503, "retry-after: 0.01\r\n".into(), "not now".into())
        }
        ["busy", _] => (200, String::new(), "now".into()),
        [kind @ ("list" | "broken"), pages] => {
            let page = seen.query.split('&').find_map(|pair| pair.strip_prefix("page="));
            let (page, pages): (u64, u64) = (page.unwrap_or("1").parse().unwrap(), pages.parse().unwrap());
            if *kind == "broken" && page == 3 {
                return (500, String::new(), "broken".into());
            }
            let next = (page < pages).then(|| format!("?page={}", page + 1));
            let link = next.as_ref().map_or(String::new(), |next| {
                format!(
                    "link: <?page=1>; title=\"a, <b>; rel=next\"; rel=first, <{next}>; REL=\"last Next\"\r\n"
                )
            });
            let items: Vec<u64> = if page > pages { vec![] } else { vec![page, page] };
            let body = json!({ "items": items, "links": { "next": next } });
            (200, format!("{JSON}{link}"), body.to_string())
        }
        ["login"] if seen.method == "POST" && seen.body.contains("password=secret") => {
            (200, String::new(), "<h1>Welcome</h1><form action=/search><input name=q></form>".into())
        }
        ["login"] => {
            let form = "<form action=/search><input name=q></form><form id=in method=post action='login?go=1'>\
                <input type=hidden name=csrf value=c1><input name=user><input type=password name=password></form>";
            (200, String::new(), form.into())
        }
        ["token", life] => {
            let life: u64 = life.parse().unwrap();
            (200, JSON.into(), json!({ "access_token": format!("t{nth}"), "expires_in": life }).to_string())
        }
        ["guarded"] => {
            let status = if seen.header("authorization") == "Bearer t1" { 401 } else { 200 };
            (status, String::new(), String::new())
        }
        ["graphql"] => {
            let sent: Value = serde_json::from_str(&seen.body).unwrap_or_default();
            let errors = json!([{ "message": "no such shop", "extensions": { "code": "NOT_FOUND" } }, {}]);
            let body = if sent["query"].as_str().is_some_and(|text| text.contains("boom")) {
                json!({ "data": null, "errors": errors })
            } else {
                json!({ "data": { "operation": sent["operationName"], "variables": sent["variables"] } })
            };
            (200, JSON.into(), body.to_string())
        }
        _ => (404, String::new(), String::new()),
    }
}
