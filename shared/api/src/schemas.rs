//! The schemas of the wire types, as serde reads and writes them.

use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

const DEFINITIONS: &str = "#/components/schemas/";

/// A component's schemas. Each is named after its type, and after the component when it is not
/// one of the [`SHARED`]: two components may call their types the same.
pub(crate) struct Schemas {
    component: &'static str,
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

/// Types of the shared crates that keep their name: they are the same in every component.
const SHARED: [&str; 3] = ["Problem", "FieldError", "Permission"];

impl Schemas {
    pub(crate) fn new(component: &'static str) -> Self {
        Self {
            component,
            taken: generator(Contract::Deserialize),
            given: generator(Contract::Serialize),
        }
    }

    /// What is read.
    pub(crate) fn taken<T: JsonSchema>(&mut self) -> Schema {
        self.taken.subschema_for::<T>()
    }

    /// What is written.
    pub(crate) fn given<T: JsonSchema>(&mut self) -> Schema {
        self.given.subschema_for::<T>()
    }

    /// What is read, here and not by reference: a query's fields become parameters.
    pub(crate) fn inlined<T: JsonSchema>(&mut self) -> Schema {
        T::json_schema(&mut self.taken)
    }

    /// The schema's name in the document.
    pub(crate) fn named(&self, name: &str) -> String {
        if SHARED.contains(&name) {
            name.to_owned()
        } else {
            format!("{}.{name}", self.component)
        }
    }

    /// Every schema that was referred to, by its name in the document.
    ///
    /// # Errors
    /// The name of a type that is read otherwise than it is written: it must be two types.
    pub(crate) fn definitions(&mut self) -> Result<Map<String, Value>, String> {
        let mut all = Map::new();
        for generator in [&mut self.taken, &mut self.given] {
            let definitions = generator.take_definitions(true);
            for (name, schema) in definitions {
                if all.get(&name).is_some_and(|known| known != &schema) {
                    return Err(format!("{name} is read otherwise than it is written"));
                }
                all.insert(name, schema);
            }
        }
        let mut named = Map::new();
        for (name, mut schema) in all {
            self.rename(&mut schema);
            without_null_defaults(&mut schema);
            named.insert(self.named(&name), schema);
        }
        Ok(named)
    }

    /// Makes every reference in `value` one to the name in the document.
    pub(crate) fn rename(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if key == "$ref" => {
                            if let Some(name) = text.strip_prefix(DEFINITIONS) {
                                *text = format!("{DEFINITIONS}{}", self.named(name));
                            }
                        }
                        other => self.rename(other),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            _ => {}
        }
    }
}

/// That a field which is left out counts as null says nothing.
fn without_null_defaults(schema: &mut Value) {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(|fields| fields.values_mut()) {
        if let Some(field) = field.as_object_mut()
            && field.get("default").is_some_and(Value::is_null)
        {
            field.remove("default");
        }
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
        })
        .into_generator()
}

/// The schemas of the pipeline's own body.
pub(crate) fn shared<T: JsonSchema>() -> Map<String, Value> {
    let mut generator = generator(Contract::Serialize);
    let _reference = generator.subschema_for::<T>();
    generator.take_definitions(true)
}
