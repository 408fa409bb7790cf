//! Holds JSON against a schema (JSON Schema 2020-12, the keywords that schemas here use). A keyword that is not known here stops the test: nothing is passed over.

use serde_json::Value;

/// What in a value is not as its schema says, each with its place.
pub fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

/// The same schema, which allows no other fields than it names: that records may grow is for their readers, not for a field that the schema forgot.
#[allow(dead_code, reason = "not every test that holds something against a schema writes it itself")]
pub fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(keywords) => {
            if keywords.contains_key("properties") && !keywords.contains_key("additionalProperties") {
                keywords.insert("additionalProperties".to_owned(), false.into());
            }
            keywords.iter_mut().filter(|(keyword, _)| *keyword != "enum" && *keyword != "const").for_each(|(_, inner)| *inner = closed(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = closed(item.take())),
        _ => {}
    }
    schema
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let keywords = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{at}: nothing may stand here")),
        Value::Object(keywords) => keywords,
        other => panic!("no schema: {other}"),
    };
    let properties = keywords.get("properties");
    for (keyword, asked) in keywords {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "$comment" | "title" | "description" | "default" | "format" | "examples" => {}
            "$ref" => check(root, target(root, asked), value, at, found),
            "type" if !is_of(value, &types(asked)) => {
                found.push(format!("{at}: is {}, not {asked}", kind(value)));
            }
            "const" if asked != value => found.push(format!("{at}: is {value}, not {asked}")),
            "enum" if !asked.as_array().expect("a list").contains(value) => found.push(format!("{at}: {value} is none of {asked}")),
            "minimum" if value.as_f64().is_some_and(|number| number < asked.as_f64().expect("a number")) => found.push(format!("{at}: {value} < {asked}")),
            "maximum" if value.as_f64().is_some_and(|number| number > asked.as_f64().expect("a number")) => found.push(format!("{at}: {value} > {asked}")),
            "minLength" if value.as_str().is_some_and(|text| (text.chars().count() as u64) < asked.as_u64().expect("a number")) => {
                found.push(format!("{at}: too short"))
            }
            "minItems" if value.as_array().is_some_and(|items| (items.len() as u64) < asked.as_u64().expect("a number")) => {
                found.push(format!("{at}: too few"))
            }
            "maxItems" if value.as_array().is_some_and(|items| items.len() as u64 > asked.as_u64().expect("a number")) => found.push(format!("{at}: too many")),
            "type" | "const" | "enum" | "minimum" | "maximum" | "minLength" | "minItems" | "maxItems" => {}
            "required" => {
                let missing = asked.as_array().expect("a list").iter().filter_map(Value::as_str).filter(|name| value.is_object() && value.get(name).is_none());
                found.extend(missing.map(|name| format!("{at}: lacks {name}")));
            }
            "properties" => {
                for (name, schema) in asked.as_object().expect("an object") {
                    if let Some(inner) = value.get(name) {
                        check(root, schema, inner, &format!("{at}/{name}"), found);
                    }
                }
            }
            "additionalProperties" => {
                let others = value.as_object().into_iter().flatten().filter(|(name, _)| properties.is_none_or(|known| known.get(name).is_none()));
                others.for_each(|(name, inner)| check(root, asked, inner, &format!("{at}/{name}"), found));
            }
            "items" => value.as_array().into_iter().flatten().enumerate().for_each(|(place, item)| check(root, asked, item, &format!("{at}/{place}"), found)),
            "anyOf" | "oneOf" | "allOf" => {
                let answers: Vec<Vec<String>> = asked
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|schema| {
                        let mut inner = Vec::new();
                        check(root, schema, value, at, &mut inner);
                        inner
                    })
                    .collect();
                let fitting = answers.iter().filter(|answer| answer.is_empty()).count();
                let holds = match keyword.as_str() {
                    "anyOf" => fitting > 0,
                    "oneOf" => fitting == 1,
                    _ => fitting == answers.len(),
                };
                if !holds {
                    found.push(format!("{at}: {fitting} of {keyword} fit: {}", answers.concat().join("; ")));
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
}

fn target<'a>(root: &'a Value, reference: &Value) -> &'a Value {
    let place = reference.as_str().and_then(|reference| reference.strip_prefix('#')).expect("a reference within the schema");
    root.pointer(place).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn types(asked: &Value) -> Vec<&str> {
    asked.as_array().map_or_else(|| asked.as_str().into_iter().collect(), |many| many.iter().filter_map(Value::as_str).collect())
}

fn is_of(value: &Value, types: &[&str]) -> bool {
    types.contains(&kind(value)) || (value.is_number() && types.contains(&"number"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
