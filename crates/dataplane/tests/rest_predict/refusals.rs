//! What a Predict body is refused for, and in which words.

use super::*;

/// Declared inputs, a body that is refused before or while tensors are read, and the words.
type Refused = (&'static [(&'static str, DType)], &'static str, &'static str);

const REFUSED: &[Refused] = &[
    (X, "", "JSON Parse error: The document is empty"),
    (X, " \n", "JSON Parse error: The document is empty. at offset: 2"),
    (X, "{\"a\":1,}", "JSON Parse error: Missing a name for object member. at offset: 7"),
    (X, "hello", "JSON Parse error: Invalid value. at offset: 0"),
    (X, "[1, [2]]", "JSON Value: [1, [2]] Is not object"),
    (
        X,
        r#"{"signature_name": 1}"#,
        "JSON Value: {\n    \"signature_name\": 1\n} not formatted correctly. 'signature_name' key must be a string value.",
    ),
    (X, "{}", "Missing 'inputs' or 'instances' key"),
    (
        X,
        r#"{"inputs": 1, "instances": 2}"#,
        "JSON Value: {\n    \"inputs\": 1,\n    \"instances\": 2\n} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    (
        X,
        r#"{"instances": 1}"#,
        "JSON Value: {\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
    ),
    (X, r#"{"instances": []}"#, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
    (X, r#"{"instances": [{"x": 1}, 2]}"#, "Expecting object but got list at item 1 of input list"),
    (
        S,
        r#"{"instances": [{"s": "a"}, {"b64": "YQ=="}]}"#,
        "Expecting object but got list at item 1 of input list",
    ),
    (X, r#"{"instances": [1, {"x": 2}]}"#, "Expecting value/list but got object at item 1 of input list"),
    (
        AB,
        r#"{"instances": [1, 2]}"#,
        "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map",
    ),
    (
        AB,
        r#"{"instances": [{"a": 1, "b": 2, "c": 3}]}"#,
        "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: c",
    ),
    (
        AB,
        r#"{"instances": [{"a": 1, "b": 2}, {"a": 1}]}"#,
        "Failed to process element: 1 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
    ),
    (
        AB,
        r#"{"instances": [{"a": "x", "b": 2}]}"#,
        "Failed to process element: 0 key: a of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"x\" Type: String is not of expected type: float",
    ),
    (
        X,
        r#"{"instances": [[1, 2], [3]]}"#,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 1",
    ),
    (
        X,
        r#"{"instances": [[1, 2], [[3, 4]]]}"#,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [2] but got: [1,2]",
    ),
    (
        X,
        r#"{"instances": [1, [3]]}"#,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [] but got: [1]",
    ),
    (
        X,
        r#"{"instances": [[[1], 2]]}"#,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    (
        AB,
        r#"{"inputs": [1]}"#,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map",
    ),
    (AB, r#"{"inputs": {"a": 1}}"#, "Missing named input: b in 'inputs' object."),
    (X, r#"{"inputs": {"y": 1}}"#, "Missing named input: x in 'inputs' object."),
    (
        X,
        r#"{"inputs": [[1, 2], [3]]}"#,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    (X, r#"{"inputs": [1, [2]]}"#, "Encountered list at unexpected level: 1 expected < 1"),
    (X, r#"{"inputs": [[1], [[2]]]}"#, "Encountered list at unexpected level: 2 expected < 2"),
    (
        X,
        r#"{"inputs": [[1], 2]}"#,
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    (X, r#"{"inputs": null}"#, "JSON Value: null Type: Null is not of expected type: float"),
    (S, r#"{"inputs": [{"b64": "Y"}]}"#, "Unable to base64 decode"),
    (S, r#"{"inputs": [{"b64": "YQ="}]}"#, "Unable to base64 decode"),
    (S, r#"{"inputs": [{"b64": "Y-=="}]}"#, "Unable to base64 decode"),
    (
        S,
        r#"{"inputs": [{"b64": 1}]}"#,
        "JSON Value: {\n    \"b64\": 1\n} not formatted correctly for base64 data",
    ),
];

#[test]
fn each_refusal_has_its_words() {
    for (inputs, body, expected) in REFUSED {
        let error = decode(&echo(inputs), *body).unwrap_err();
        assert_eq!(error, Error::invalid_argument(*expected), "{body}");
    }
}
