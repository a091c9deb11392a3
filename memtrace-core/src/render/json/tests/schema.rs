//! As much of JSON Schema as our schema uses. A keyword that it does not know fails the test: nothing is skipped.

use serde_json::Value;

/// What is wrong with `value`, each with its path; empty when it is valid.
pub(super) fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut checker = Checker { root: schema, errors: Vec::new() };
    checker.check(schema, value, "$");
    checker.errors
}

struct Checker<'a> {
    root: &'a Value,
    errors: Vec<String>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, path: &str) {
        for (keyword, rule) in schema.as_object().unwrap() {
            let valid = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => true,
                "type" => has_type(rule, value),
                "const" => rule == value,
                "enum" => rule.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "pattern" => is_hex_id(rule, value),
                "required" => has_keys(rule, value),
                "$ref" => {
                    let root = self.root;
                    let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                    self.check(target, value, path);
                    true
                }
                "oneOf" => self.matches_one(rule, value),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{path}[{index}]"));
                    }
                    true
                }
                "properties" => {
                    for (key, rule) in rule.as_object().unwrap() {
                        if let Some(member) = value.get(key) {
                            self.check(rule, member, &format!("{path}.{key}"));
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let known = schema["properties"].as_object().unwrap();
                    value.as_object().is_none_or(|object| object.keys().all(|key| known.contains_key(key)))
                }
                unknown => panic!("the checker does not know the keyword {unknown}"),
            };
            if !valid {
                self.errors.push(format!("{path}: {keyword} {rule}"));
            }
        }
    }

    fn matches_one(&self, rule: &Value, value: &Value) -> bool {
        let matching = rule.as_array().unwrap().iter().filter(|option| {
            let mut checker = Checker { root: self.root, errors: Vec::new() };
            checker.check(option, value, "$");
            checker.errors.is_empty()
        });
        matching.count() == 1
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let names = rule.as_array().map_or_else(|| vec![rule], |names| names.iter().collect());
    names.iter().any(|name| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        unknown => panic!("the checker does not know the type {unknown}"),
    })
}

fn is_hex_id(rule: &Value, value: &Value) -> bool {
    assert_eq!(rule, "^[0-9a-f]{16}$", "the only pattern that the checker knows");
    let text = value.as_str().unwrap_or_default();
    text.len() == 16 && text.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
}

fn has_keys(rule: &Value, value: &Value) -> bool {
    rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
}
