//! The fields that a browser would send for an unchanged form.

use scraper::{ElementRef, Selector};

use super::document::Element;

/// Kinds of `<input>` that are not sent unless somebody clicks or chooses.
const NOT_SENT: [&str; 5] = ["submit", "button", "image", "reset", "file"];

impl Element {
    /// Names and values of the fields in this form, in the order of the document: as HTML's "constructing the
    /// entry list" has them, without buttons, files, and what is disabled or not checked.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let (Some(form), Ok(controls)) = (self.get(), Selector::parse("input, select, textarea")) else {
            return Vec::new();
        };
        let sent = form.select(&controls).filter(|control| control.attr("disabled").is_none());
        sent.filter_map(|control| Some((control.attr("name")?, control)))
            .filter(|(name, _)| !name.is_empty())
            .flat_map(|(name, control)| values(control).into_iter().map(|value| (name.to_owned(), value)))
            .collect()
    }
}

fn values(control: ElementRef) -> Vec<String> {
    match control.value().name() {
        "select" => selected(control),
        // A line break right after the tag is not part of the value; the parser has dropped it.
        "textarea" => vec![control.text().collect()],
        _ => input(control).into_iter().collect(),
    }
}

fn input(control: ElementRef) -> Option<String> {
    let kind = control.attr("type").unwrap_or_default().to_ascii_lowercase();
    let value = control.attr("value");
    match kind.as_str() {
        "checkbox" | "radio" => control.attr("checked").map(|_| value.unwrap_or("on").to_owned()),
        kind if NOT_SENT.contains(&kind) => None,
        _ => Some(value.unwrap_or_default().to_owned()),
    }
}

fn selected(select: ElementRef) -> Vec<String> {
    let Ok(options) = Selector::parse("option") else { return Vec::new() };
    let value = |option: ElementRef| match option.attr("value") {
        Some(value) => value.to_owned(),
        None => option.text().collect::<String>().trim().to_owned(),
    };
    let chosen: Vec<String> =
        select.select(&options).filter(|option| option.attr("selected").is_some()).map(value).collect();
    if select.attr("multiple").is_some() {
        return chosen;
    }
    // A list that shows one entry shows the last that is marked, or else the first.
    match chosen.last() {
        Some(last) => vec![last.clone()],
        None => {
            select.select(&options).find(|o| o.attr("disabled").is_none()).map(value).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scrape::{Document, Selectors};

    fn fields(form: &str) -> Vec<(String, String)> {
        let mut go_on = || Ok::<_, String>(());
        let page = Document::parse(form, &mut go_on).unwrap();
        let found = page.css(&Selectors::default(), "form", &mut go_on).unwrap();
        found.get(0).unwrap().fields()
    }

    #[test]
    fn what_an_untouched_form_sends() {
        let sent = fields(
            "<form><input type=hidden name=csrf value=t><input name=user><input value=nameless>\
             <input type=checkbox name=a checked><input type=checkbox name=b value=2>\
             <input type=radio name=r value=1><input type=radio name=r value=2 checked>\
             <input type=submit name=go value=Go><input type=file name=f><input name=off value=x disabled>\
             <textarea name=t>\nlines\n</textarea><button name=x>X</button></form>",
        );
        let expected = [("csrf", "t"), ("user", ""), ("a", "on"), ("r", "2"), ("t", "lines\n")];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn lists_send_what_they_show() {
        let sent = fields(
            "<form><select name=a><option disabled>-<option value=1>one<option>two</select>\
             <select name=b><option>x<option selected> y </select>\
             <select name=c multiple><option selected>1<option>2<option selected>3</select>\
             <select name=d></select></form>",
        );
        let expected = [("a", "1"), ("b", "y"), ("c", "1"), ("c", "3")];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
