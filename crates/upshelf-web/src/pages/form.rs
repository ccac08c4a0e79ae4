//! Forms: what was typed, and what is wrong with it, beside the field.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

use crate::extract::{BodyLimit, read_body};
use crate::problem::{FieldError, Problem, Result};
use crate::web::Web;

/// The most fields of a form.
const MAX_FIELDS: usize = 200;

/// A form with what was typed into it.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    faults: Vec<FieldError>,
    /// What is wrong with the form as a whole.
    pub(crate) message: Option<String>,
    status: StatusCode,
}

impl Form {
    /// Fills a form with values.
    pub(crate) fn filled<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Form {
        let fields = values.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Form { fields, ..Form::default() }
    }

    /// What was typed into a field; nothing when it is missing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values(name).next().unwrap_or_default()
    }

    /// What was chosen in a field that takes several.
    pub(crate) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What was typed into a field, if it is more than white space.
    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.value(name).trim()).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Whether a value was chosen.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|known| known == value)
    }

    /// What is wrong with a field.
    pub(crate) fn fault(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.field == name).map(|fault| fault.detail.as_str())
    }

    /// Reads a field as `T`; what cannot be read was not sent by a page of this site.
    pub(crate) fn parse<T: std::str::FromStr>(&self, name: &'static str) -> Result<T> {
        self.value(name).parse().map_err(|_| Problem::invalid(name, "This value cannot be taken."))
    }

    /// Shows the form again with what is wrong. A failure on our side is passed on, and so is what a form cannot mend.
    pub(crate) fn refused(mut self, problem: Problem) -> Result<Form> {
        let is_mendable = matches!(problem.status().as_u16(), 403 | 409 | 422) && problem.code() != "banned";
        if !is_mendable {
            return Err(problem);
        }
        self.status = problem.status();
        self.faults = problem.errors().to_vec();
        // What is taken, or not right, is the fault of one field.
        let field = match problem.code() {
            "username_taken" => "username",
            "email_taken" => "email",
            "wrong_password" => "current_password",
            "duplicate_resource" | "duplicate_suggestion" => "url",
            "set_up" => "code",
            _ => "",
        };
        if !field.is_empty() {
            return Ok(self.at_fault(field, problem.detail()).with_status(problem.status()));
        }
        let has_place = |fault: &FieldError| self.fields.iter().any(|(name, _)| *name == fault.field);
        self.message = match self.faults.iter().find(|fault| !has_place(fault)) {
            Some(fault) => Some(fault.detail.clone()),
            None if self.faults.is_empty() => Some(problem.detail().to_owned()),
            None => None,
        };
        Ok(self)
    }

    /// Shows the form again with what is wrong with one field.
    pub(crate) fn at_fault(mut self, field: &str, detail: &str) -> Form {
        self.status = StatusCode::UNPROCESSABLE_ENTITY;
        self.faults.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        self
    }

    fn with_status(self, status: StatusCode) -> Form {
        Form { status, ..self }
    }

    /// Shows the form again with what is wrong with it as a whole.
    pub(crate) fn told(mut self, status: StatusCode, message: impl Into<String>) -> Form {
        self.status = status;
        self.message = Some(message.into());
        self
    }

    /// Whether anything is wrong.
    pub(crate) fn is_refused(&self) -> bool {
        self.message.is_some() || !self.faults.is_empty()
    }

    /// The status of the page that shows it.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Draws a field of one line.
    pub(crate) fn field<'a>(&'a self, name: &'a str, label: &'a str) -> Field<'a> {
        Field {
            form: self,
            name,
            label,
            kind: "text",
            hint: "",
            complete: "",
            max: 0,
            required: true,
            focus: false,
        }
    }
}

impl FromRequest<Web> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Web) -> Result<Form> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            let detail = "A form is sent as application/x-www-form-urlencoded.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", detail));
        }
        let limit = request.extensions().get().copied().unwrap_or(BodyLimit(1024 * 1024));
        let body = read_body(request.into_body(), limit).await?;
        read(form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned())))
    }
}

/// Takes fields as a browser sends them.
pub(crate) fn read(fields: impl Iterator<Item = (String, String)>) -> Result<Form> {
    let fields: Vec<_> = fields.take(MAX_FIELDS + 1).collect();
    if fields.len() > MAX_FIELDS {
        return Err(Problem::malformed("The form has too many fields."));
    }
    if let Some((name, _)) = fields.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Problem::invalid(name.replace('\0', ""), "It must not hold the character U+0000."));
    }
    // Browsers end lines in text areas with CR LF, whatever was typed.
    Ok(Form::filled(fields.into_iter().map(|(name, value)| (name, value.replace("\r\n", "\n")))))
}

/// A field with its label, its hint and what is wrong with it.
#[derive(Template)]
#[template(path = "parts/field.html")]
pub(crate) struct Field<'a> {
    form: &'a Form,
    name: &'a str,
    label: &'a str,
    kind: &'a str,
    hint: &'a str,
    complete: &'a str,
    max: usize,
    required: bool,
    focus: bool,
}

impl HtmlSafe for Field<'_> {}

impl<'a> Field<'a> {
    /// Says what kind of input it is: `email`, `url`, `password`, `area`.
    pub(crate) fn kind(self, kind: &'a str) -> Self {
        Field { kind, ..self }
    }

    /// Explains it in a line.
    pub(crate) fn hint(self, hint: &'a str) -> Self {
        Field { hint, ..self }
    }

    /// Says what a browser may fill in.
    pub(crate) fn complete(self, complete: &'a str) -> Self {
        Field { complete, ..self }
    }

    /// Says how many characters it takes.
    pub(crate) fn max(self, max: usize) -> Self {
        Field { max, ..self }
    }

    /// May be left empty.
    pub(crate) fn optional(self) -> Self {
        Field { required: false, ..self }
    }

    /// Is where typing begins.
    pub(crate) fn focus(self) -> Self {
        Field { focus: true, ..self }
    }

    fn value(&self) -> &str {
        // A password is never sent back.
        if self.kind == "password" { "" } else { self.form.value(self.name) }
    }

    fn described_by(&self) -> String {
        let fault = self.form.fault(self.name).map(|_| format!("fault-{}", self.name));
        let hint = (!self.hint.is_empty()).then(|| format!("hint-{}", self.name));
        [fault, hint].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_beside_its_fault_and_a_password_never() {
        let form = Form::filled([("title", "<b>\"x\"</b>"), ("password", "hunter2hunter2")])
            .refused(Problem::invalid("title", "Too short."))
            .expect("a form can mend it");
        let field = form.field("title", "Title").to_string();
        assert!(field.contains("value=\"&#60;b&#62;&#34;x&#34;&#60;/b&#62;\""), "{field}");
        assert!(field.contains("aria-invalid=\"true\"") && field.contains("Too short."), "{field}");
        assert!(field.contains("aria-describedby=\"fault-title\""), "{field}");
        assert!(!form.field("password", "Password").kind("password").to_string().contains("hunter2"));
        assert_eq!(form.status(), 422);
        assert_eq!(form.message, None);
    }

    #[test]
    fn a_fault_without_a_field_is_said_above_the_form_and_a_failure_is_passed_on() {
        let form = Form::filled([("title", "")]).refused(Problem::invalid("changes", "Nothing changes."));
        assert_eq!(form.expect("a form can mend it").message.as_deref(), Some("Nothing changes."));
        assert!(Form::default().refused(Problem::bug()).is_err());
    }
}
