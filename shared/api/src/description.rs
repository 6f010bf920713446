//! The descriptions that components give.

use http::StatusCode;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use vivesphere_http::{PageQuery, Route, Verb};

use crate::schemas::Schemas;

/// What one component answers, described.
pub struct Api {
    pub(crate) component: &'static str,
    pub(crate) about: &'static str,
    pub(crate) routes: &'static [Route],
    pub(crate) operations: Vec<Operation>,
    pub(crate) schemas: Schemas,
}

/// What is described of one row of the route table.
pub(crate) struct Operation {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) text: Option<&'static str>,
    pub(crate) query: Vec<Schema>,
    pub(crate) body: Option<Body>,
    pub(crate) if_match: bool,
    /// The answer is made while it is sent: it has no tag.
    pub(crate) streamed: bool,
    pub(crate) answers: Vec<Answer>,
    pub(crate) problems: Vec<Problem>,
}

/// What is sent.
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    /// Other types that the same may be written as.
    pub(crate) also_as: Vec<&'static str>,
    pub(crate) required: bool,
    pub(crate) schema: Schema,
}

/// An answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) description: String,
    pub(crate) content: Option<(&'static str, Value)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

/// A refusal that the row and the pipeline do not tell of.
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) when: &'static str,
}

/// One operation, while it is described.
pub struct Description<'a> {
    operation: &'a mut Operation,
    schemas: &'a mut Schemas,
}

impl Api {
    /// A component by its name in `spin.toml`, what it is for in a sentence, and its route table.
    pub fn new(component: &'static str, about: &'static str, routes: &'static [Route]) -> Self {
        Self {
            component,
            about,
            routes,
            operations: Vec::new(),
            schemas: Schemas::new(component),
        }
    }

    /// The component's name.
    pub fn component(&self) -> &'static str {
        self.component
    }

    /// The component's route table.
    pub fn routes(&self) -> &'static [Route] {
        self.routes
    }

    /// Describes the `GET` of a path: what it does, as a short imperative sentence.
    pub fn get(&mut self, path: &'static str, summary: &'static str) -> Description<'_> {
        self.operation(Verb::Get, path, summary)
    }

    /// Describes the `POST` of a path.
    pub fn post(&mut self, path: &'static str, summary: &'static str) -> Description<'_> {
        self.operation(Verb::Post, path, summary)
    }

    /// Describes the `PATCH` of a path.
    pub fn patch(&mut self, path: &'static str, summary: &'static str) -> Description<'_> {
        self.operation(Verb::Patch, path, summary)
    }

    /// Describes the `DELETE` of a path.
    pub fn delete(&mut self, path: &'static str, summary: &'static str) -> Description<'_> {
        self.operation(Verb::Delete, path, summary)
    }

    /// Describes any method of a path.
    pub fn operation(
        &mut self,
        method: Verb,
        path: &'static str,
        summary: &'static str,
    ) -> Description<'_> {
        let index = self.operations.len();
        self.operations.push(Operation {
            method,
            path,
            summary,
            text: None,
            query: Vec::new(),
            body: None,
            if_match: false,
            streamed: false,
            answers: Vec::new(),
            problems: Vec::new(),
        });
        Description {
            operation: &mut self.operations[index],
            schemas: &mut self.schemas,
        }
    }
}

impl Description<'_> {
    /// Says more than the summary: rules, limits, what happens next.
    pub fn text(self, text: &'static str) -> Self {
        self.operation.text = Some(text);
        self
    }

    /// It reads its query string as `T`.
    pub fn query<T: JsonSchema>(self) -> Self {
        self.operation.query = vec![self.schemas.inlined::<T>()];
        self
    }

    /// It gives a page of a list, which its query string asks for and filters by `T`.
    pub fn paged<T: JsonSchema>(self) -> Self {
        let filter = self.schemas.inlined::<T>();
        self.operation.query = vec![filter, self.schemas.inlined::<PageQuery>()];
        self
    }

    /// It takes `T` as JSON.
    pub fn json<T: JsonSchema>(self) -> Self {
        self.body::<T>("application/json", true)
    }

    /// It takes `T` as JSON, or nothing.
    pub fn optional_json<T: JsonSchema>(self) -> Self {
        self.body::<T>("application/json", false)
    }

    /// It takes `T` as a form.
    pub fn form<T: JsonSchema>(self) -> Self {
        self.body::<T>("application/x-www-form-urlencoded", true)
    }

    /// It takes `T`, written as `content_type`.
    pub fn body<T: JsonSchema>(self, content_type: &'static str, required: bool) -> Self {
        let schema = self.schemas.taken::<T>();
        self.operation.body = Some(Body {
            content_type,
            also_as: Vec::new(),
            required,
            schema,
        });
        self
    }

    /// The body may be written as this type, too.
    pub fn also_as(self, content_type: &'static str) -> Self {
        if let Some(body) = &mut self.operation.body {
            body.also_as.push(content_type);
        }
        self
    }

    /// It heeds `If-Match`, and answers 412 when the version is another.
    pub fn if_match(self) -> Self {
        self.operation.if_match = true;
        self
    }

    /// It gives `T` as JSON with 200.
    pub fn gives<T: JsonSchema>(self) -> Self {
        self.answers::<T>(StatusCode::OK, "Done.")
    }

    /// It makes something and gives it, `T` as JSON, with 201.
    pub fn creates<T: JsonSchema>(self) -> Self {
        self.answers::<T>(StatusCode::CREATED, "Created.")
    }

    /// It gives 204 and no body.
    pub fn gives_nothing(self) -> Self {
        self.operation.answers.push(Answer {
            status: StatusCode::NO_CONTENT,
            description: "Done; there is nothing to say.".to_owned(),
            content: None,
            headers: Vec::new(),
        });
        self
    }

    /// It answers `T` as JSON with this status, which may be an error that is not a problem.
    pub fn answers<T: JsonSchema>(self, status: StatusCode, when: impl Into<String>) -> Self {
        let schema = self.schemas.given::<T>().to_value();
        self.content(status, when, "application/json", schema)
    }

    /// It answers text of this type with 200.
    pub fn gives_text(self, content_type: &'static str) -> Self {
        let schema = serde_json::json!({"type": "string"});
        self.content(StatusCode::OK, "Done.", content_type, schema)
    }

    /// It answers lines with 200, each of them `T` as JSON. What a line is stands in `x-line`: the
    /// schema is that of the whole text.
    pub fn gives_lines<T: JsonSchema>(self, content_type: &'static str) -> Self {
        self.operation.streamed = true;
        let line = self.schemas.given::<T>().to_value();
        let schema = serde_json::json!({"type": "string", "x-line": line});
        self.content(StatusCode::OK, "Done.", content_type, schema)
    }

    /// It answers with this status what `schema` describes, written as `content_type`.
    pub fn content(
        self,
        status: StatusCode,
        when: impl Into<String>,
        content_type: &'static str,
        schema: Value,
    ) -> Self {
        self.operation.answers.push(Answer {
            status,
            description: when.into(),
            content: Some((content_type, schema)),
            headers: Vec::new(),
        });
        self
    }

    /// The answer given last has this header.
    pub fn header(self, name: &'static str, about: &'static str) -> Self {
        if let Some(answer) = self.operation.answers.last_mut() {
            answer.headers.push((name, about));
        }
        self
    }

    /// It may refuse with this status and `code`, beside what the row and the pipeline tell of.
    pub fn problem(self, status: StatusCode, code: &'static str, when: &'static str) -> Self {
        self.operation.problems.push(Problem { status, code, when });
        self
    }

    /// It may refuse with 409 and this `code`.
    pub fn conflict(self, code: &'static str, when: &'static str) -> Self {
        self.problem(StatusCode::CONFLICT, code, when)
    }

    /// What is asked for in the query or the body may be absent, or another's: 404.
    pub fn not_found(self) -> Self {
        self.problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing here, or it is not yours.",
        )
    }

    /// What it sends is valid JSON of the right shape that a rule may refuse: 422.
    pub fn invalid(self) -> Self {
        self.problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "The request can be read but is not valid.",
        )
    }
}
