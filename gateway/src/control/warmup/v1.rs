//! The default warm-up event in payload format 1.0, made of the one in 2.0.

use serde_json::{Map, Value, json};

fn lists(single: &Value) -> Value {
    let fields = single.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>().into()
}

/// `resource`: the route's path. A REST API's event has no version.
pub(super) fn event(of: &Map<String, Value>, resource: &str, rest: bool) -> Map<String, Value> {
    let field = |name: &str| of.get(name).cloned().unwrap_or_default();
    let (path, headers, context) = (field("rawPath"), field("headers"), field("requestContext"));
    let mut event = json!({
        "resource": resource,
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": lists(&headers),
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "requestContext": {
            "accountId": context["accountId"],
            "apiId": context["apiId"],
            "deploymentId": "warm-up",
            "domainName": context["domainName"],
            "domainPrefix": context["domainPrefix"],
            "extendedRequestId": context["requestId"],
            "httpMethod": "GET",
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": context["requestId"],
            "resourcePath": resource,
            "stage": "$default",
            "requestTime": context["time"],
            "requestTimeEpoch": context["timeEpoch"],
            "resourceId": null,
            "identity": {"sourceIp": context["http"]["sourceIp"], "userAgent": context["http"]["userAgent"]},
        },
        "pathParameters": of.get("pathParameters"),
        "stageVariables": null,
        "body": null,
        "isBase64Encoded": false,
    });
    if !rest {
        event["version"] = "1.0".into();
    }
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PayloadFormat, default_warm_ups};
    use crate::route::Pattern;
    use serde_json::{Value, json};

    #[test]
    fn a_function_is_warmed_up_in_its_own_format() {
        let routes = [Pattern::parse("GET /a/{id}").unwrap()];
        let event = |format| serde_json::from_str::<Value>(&default_warm_ups(&routes, format)[0]).unwrap();
        let first = event(PayloadFormat::V1);
        assert_eq!(
            (&first["version"], &first["resource"], &first["path"]),
            (&json!("1.0"), &json!("/a/{id}"), &json!("/a/warm-up"))
        );
        assert_eq!(
            (&first["pathParameters"], &first["multiValueHeaders"]["accept"]),
            (&json!({"id": "warm-up"}), &json!(["*/*"]))
        );
        assert!(event(PayloadFormat::Rest).get("version").is_none());
        assert_eq!(event(PayloadFormat::V2)["version"], "2.0");
    }
}
