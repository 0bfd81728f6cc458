//! What TensorFlow Serving refuses over REST and this server takes: decision 0030.

use super::*;

/// A signature of these inputs, the named ones with a default of one float, that answers with all of them.
fn with_defaults(inputs: &[(&str, DType)], defaults: &[(&str, f32)]) -> Signature {
    let defaults = defaults.iter().map(|(alias, value)| ((*alias).to_owned(), floats(&[], &[*value])));
    Signature { defaults: defaults.collect(), ..echo(inputs) }
}

fn refused(signature: &Signature, body: &str) -> String {
    let error = decode(signature, body.to_owned()).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument, "{body}");
    error.message.into_owned()
}

const XF: &[(&str, DType)] = &[("f", DType::Float), ("x", DType::Float)];
const C: &[(&str, DType)] = &[("c", DType::Complex64)];

#[test]
fn a_signature_without_inputs_is_asked_with_empty_objects() {
    let answered = |body: &str, output: Tensor| {
        let mut signature = echo(&[]);
        signature.outputs = vec![spec("y", DType::Float.number())];
        predict(&signature, body.to_owned(), |inputs| {
            assert!(inputs.is_empty());
            vec![output.clone()]
        })
    };
    let scalar = floats(&[], &[42.0]);
    assert_eq!(answered(r#"{"inputs": {}}"#, scalar.clone()).unwrap(), "{\n    \"outputs\": 42.0\n}");
    let error = answered(r#"{"instances": [{}]}"#, scalar).unwrap_err();
    assert_eq!(error.message, "Tensor name: y has no shape information ");
    let rows = answered(r#"{"instances": [{}]}"#, floats(&[2], &[1.0, 2.0])).unwrap();
    assert_eq!(rows, "{\n    \"predictions\": [1.0, 2.0\n    ]\n}");
}

#[test]
fn what_names_no_inputs_otherwise_is_refused_as_ever_by_a_signature_without_them() {
    for body in
        ["{}", r#"{"inputs": []}"#, r#"{"inputs": 1}"#, r#"{"instances": [1]}"#, r#"{"instances": []}"#]
    {
        assert_eq!(refused(&echo(&[]), body), "Failed to get input map for signature: DEFAULT", "{body}");
    }
    let text = refused(&echo(&[]), r#"{"instances": [{"x": 1}]}"#);
    assert!(text.ends_with("JSON object: does not have named input: x"), "{text}");
}

#[test]
fn inputs_with_a_default_may_be_left_out_of_columns() {
    let signature = with_defaults(XF, &[("f", 2.0)]);
    let given = decode(&signature, r#"{"inputs": {"x": [1, 2]}}"#).unwrap();
    assert_eq!(given, [floats(&[], &[2.0]), floats(&[2], &[1.0, 2.0])]);
    let given = decode(&signature, r#"{"inputs": {"x": [1], "f": 3}}"#).unwrap();
    assert_eq!(given, [floats(&[], &[3.0]), floats(&[1], &[1.0])]);
    assert_eq!(refused(&signature, r#"{"inputs": {"f": 1}}"#), "Missing named input: x in 'inputs' object.");
    let all = with_defaults(XF, &[("f", 2.0), ("x", 1.0)]);
    assert_eq!(decode(&all, r#"{"inputs": {}}"#).unwrap(), [floats(&[], &[2.0]), floats(&[], &[1.0])]);
}

#[test]
fn inputs_with_a_default_may_be_left_out_of_every_row_and_then_are_whole() {
    let signature = with_defaults(XF, &[("f", 2.0)]);
    let given = decode(&signature, r#"{"instances": [{"x": 1}, {"x": 2}]}"#).unwrap();
    assert_eq!(given, [floats(&[], &[2.0]), floats(&[2], &[1.0, 2.0])]);
    let given = decode(&signature, r#"{"instances": [{"x": 1, "f": 5}, {"f": 6, "x": 2}]}"#).unwrap();
    assert_eq!(given, [floats(&[2], &[5.0, 6.0]), floats(&[2], &[1.0, 2.0])]);
}

#[test]
fn every_row_gives_what_the_first_one_gives() {
    let signature = with_defaults(XF, &[("f", 2.0)]);
    let cases = [
        (
            r#"{"instances": [{"f": 1}]}"#,
            "element: 0",
            "f,x; those with a default may be left out of every row: f",
        ),
        (r#"{"instances": [{"x": 1}, {"x": 1, "f": 1}]}"#, "element: 1", "x"),
        (r#"{"instances": [{"x": 1, "f": 1}, {"x": 1}]}"#, "element: 1", "f,x"),
    ];
    for (body, element, names) in cases {
        let text = refused(&signature, body);
        assert!(text.starts_with(&format!("Failed to process {element} of 'instances' list. ")), "{text}");
        assert!(text.ends_with(&format!("}} keys must be equal to: {names}")), "{text}");
    }
}

#[test]
fn a_plain_value_is_refused_where_defaults_leave_only_one_input_open() {
    let signature = with_defaults(XF, &[("f", 2.0)]);
    assert!(refused(&signature, r#"{"inputs": [1]}"#).starts_with("inputs is a plain value/list"));
    assert!(refused(&signature, r#"{"instances": [1]}"#).starts_with("instances is a plain list"));
}

#[test]
fn an_output_filter_chooses_what_is_computed_and_answered() {
    let asked = |filter: &str| {
        let mut codec = parse(format!(r#"{{"output_filter": {filter}, "inputs": {{"a": 1, "b": 2}}}}"#))?;
        codec.decode(&only(&echo(AB))).map(|run| run.inputs.outputs)
    };
    assert_eq!(asked("[]").unwrap(), [0, 1]);
    assert_eq!(asked(r#"["b"]"#).unwrap(), [1]);
    assert_eq!(asked(r#"["b", "\u0061"]"#).unwrap(), [0, 1], "several stand by name");
    let cases = [
        (
            r#"["q"]"#,
            "output tensor alias not found in signature: q Outputs expected to be in the set {a,b}.",
        ),
        (r#"["b", "b"]"#, "duplicate output tensor alias: b"),
        (
            "\"b\"",
            "JSON Value: \"b\" not formatted correctly. 'output_filter' key must be a list of output names.",
        ),
        (
            "[\"b\", 1]",
            "JSON Value: [\"b\", 1] not formatted correctly. 'output_filter' key must be a list of output names.",
        ),
    ];
    for (filter, text) in cases {
        assert_eq!(asked(filter).unwrap_err(), Error::invalid_argument(text), "{filter}");
    }
    let many = format!("[{}\"b\"]", "\"b\",".repeat(65_536));
    assert_eq!(asked(&many).unwrap_err().message, "'output_filter' lists at most 65536 names");
}

#[test]
fn one_output_that_was_chosen_is_answered_without_its_name() {
    let body = r#"{"output_filter": ["b"], "inputs": {"a": 1, "b": 2}}"#;
    let answer = predict(&echo(AB), body, |_| vec![ints(&[], &[2])]).unwrap();
    assert_eq!(answer, "{\n    \"outputs\": 2\n}");
}

#[test]
fn the_tensors_are_judged_before_the_output_filter() {
    let text = refused(&echo(X), r#"{"output_filter": ["q"], "inputs": "one"}"#);
    assert!(text.contains("Type: String is not of expected type: float"), "{text}");
}

#[test]
fn narrow_floats_and_uint16_have_their_numbers() {
    let cases = [
        (
            DType::Half,
            "[0.1, 65504, 1e5, -0.0, 6e-8, NaN, 3]",
            "0.0999756,\n65504.0,\nInfinity,\n-0.0,\n5.96046e-08,\nNaN,\n3.0",
        ),
        (
            DType::BFloat16,
            "[0.1, 3.39e38, -1e-45, 1, 3.4e38]",
            "0.100098,\n3.38953e+38,\n-0.0,\n1.0,\nInfinity",
        ),
        (DType::UInt16, "[0, 65535]", "0,\n65535"),
    ];
    for (dtype, values, expected) in cases {
        let lines = expected.replace('\n', "\n        ");
        let answer = echoed(&[("x", dtype)], &format!("{{\"inputs\": {values}}}"));
        assert_eq!(answer, format!("{{\n    \"outputs\": [\n        {lines}\n    ]\n}}"), "{dtype:?}");
    }
    for (dtype, value) in
        [(DType::UInt16, "65536"), (DType::UInt16, "-1"), (DType::UInt16, "1.0"), (DType::Half, "true")]
    {
        let text = refused(&echo(&[("x", dtype)]), &format!("{{\"inputs\": {value}}}"));
        assert!(text.ends_with(&format!("is not of expected type: {}", dtype.name())), "{text}");
    }
}

#[test]
fn complex_numbers_are_objects_wherever_they_stand() {
    let one = r#"{"re": 1, "im": -0.5}"#;
    let written = "{\"re\": 1.0, \"im\": -0.5}";
    let rows = format!("{{\n    \"predictions\": [{written}, {written}\n    ]\n}}");
    assert_eq!(echoed(C, &format!("{{\"instances\": [{one}, {one}]}}")), rows);
    assert_eq!(echoed(C, &format!("{{\"instances\": [{{\"c\": {one}}}, {{\"c\": {one}}}]}}")), rows);
    let scalar = format!("{{\n    \"outputs\": {written}\n}}");
    assert_eq!(echoed(C, &format!("{{\"inputs\": {one}}}")), scalar);
    assert_eq!(echoed(C, &format!("{{\"inputs\": {{\"c\": {one}}}}}")), scalar);
    let wide = &[("c", DType::Complex128)];
    assert_eq!(
        echoed(wide, r#"{"instances": [[{"im": 0.1, "re": NaN}]]}"#),
        "{\n    \"predictions\": [[{\"re\": NaN, \"im\": 0.1}]\n    ]\n}"
    );
    assert_eq!(decode(&echo(C), r#"{"inputs": [[], []]}"#).unwrap()[0].shape(), [2, 0]);
}

#[test]
fn what_is_no_complex_number_is_refused() {
    for object in [r#"{"re": 1}"#, r#"{"re": 1, "im": "2"}"#, r#"{"re": 1, "im": 2, "x": 3}"#, "{}"] {
        let text = refused(&echo(C), &format!("{{\"inputs\": [{object}]}}"));
        assert!(
            text.ends_with("not formatted correctly for complex data, which is {\"re\": 1.0, \"im\": 0.0}"),
            "{text}"
        );
    }
    let text = refused(&echo(C), r#"{"inputs": [[1, 2]]}"#);
    assert_eq!(text, "JSON Value: 1 Type: Number is not of expected type: complex64");
}

#[test]
fn inputs_named_like_the_parts_of_a_complex_number_are_inputs() {
    let parts = &[("im", DType::Float), ("re", DType::Float)];
    let expected = [floats(&[1], &[2.0]), floats(&[1], &[1.0])];
    assert_eq!(decode(&echo(parts), r#"{"instances": [{"re": 1, "im": 2}]}"#).unwrap(), expected);
    let re = &[("re", DType::Complex64)];
    let body = r#"{"inputs": {"re": {"re": 1, "im": 2}}}"#;
    assert_eq!(decode(&echo(re), body).unwrap()[0].shape(), [0_i64; 0]);
}
