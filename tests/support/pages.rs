//! Bodies that scripts take values from.

/// The page of this name.
pub(crate) fn page(name: &str) -> Vec<u8> {
    match name {
        "login" => LOGIN.into(),
        "forms" => FORMS.into(),
        "list" => {
            let rows =
                (1..=3).map(|n| format!("<li class=row data-id={n}><a href='/item/{n}'>Item {n}</a></li>"));
            format!("<ul>{}</ul>", rows.collect::<String>()).into_bytes()
        }
        "garbage" => {
            b"<<p <div class=\x00x>\xff\xfe</b></table><li>one<li>two<svg><p>&#xffffff;&bogus;<!--".to_vec()
        }
        "deep" => "<div>".repeat(900).into_bytes(),
        "attributes" => {
            format!("<p{}>", (0..300_000).map(|n| format!(" a{n}")).collect::<String>()).into_bytes()
        }
        "not-utf8" => b"caf\xe9 \xff\xfe end".to_vec(),
        // 50 MB of JSON: an array of texts.
        "large-json" => {
            let item = format!("\"{}\",", "x".repeat(997));
            let mut text = String::with_capacity(50_000_100);
            text.push('[');
            for _ in 0..50_000 {
                text.push_str(&item);
            }
            text.push_str("{\"last\": true}]");
            text.into_bytes()
        }
        _ => Vec::new(),
    }
}

const LOGIN: &str = "<!doctype html><title>Login</title>
<form id=login action=/echo/login method=post>
  <input type=hidden name=csrf value='t&amp;k-17'>
  <input name=user><input type=password name=password>
  <select name=lang><option value=en>English<option value=de selected>Deutsch</select>
  <input type=checkbox name=keep value=yes checked><button name=go>Go</button>
</form><script>var config = {\"build\": 42};</script>";

const FORMS: &str = "<!doctype html><title>Forms</title>
<form id=search action='/echo/search?old=1'><input name=q value=all>
  <select name=size><option value=''>Choose<option value=s>S<option disabled value=m>M<option>L</select></form>
<form id=upload method=POST enctype=Multipart/Form-Data><input name=note><input type=file name=photo></form>
<nav><a href=list>List</a> <a href='/page/list'>again</a> <a>nowhere</a> <a href='#top'>top</a>
  <a href='mailto:ann@example.com'>mail</a> <a href='?at=12:30'>query</a></nav>";
