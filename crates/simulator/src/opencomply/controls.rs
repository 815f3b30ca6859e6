//! The controls that frameworks are made of, and the resources that they evaluate.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::data;

/// A type of resource, how its resources are named, and the controls that evaluate them.
///
/// In `resource_id`, `{account}` is the provider's id of the account and `{name}` the name of the
/// resource, which is `resource_name` and a number.
#[derive(Deserialize)]
pub(crate) struct ResourceType {
    #[serde(rename = "resource_type")]
    pub(crate) name: String,
    pub(crate) integration_type: String,
    resource_name: String,
    resource_id: String,
    controls: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    severity: String,
    title: String,
}

/// A control as the platform's authors wrote it.
pub(crate) struct Template {
    pub(crate) id: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) title: &'static str,
    pub(crate) resource_type: &'static ResourceType,
}

static RESOURCE_TYPES: LazyLock<Vec<ResourceType>> =
    LazyLock::new(|| data::table(include_str!("../../data/opencomply/controls.json")));

/// 26 controls for AWS, 15 for Azure, 5 for GitHub; every integration type has every severity.
pub(crate) static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let template = |resource_type: &'static ResourceType, row: &'static Row| Template {
        id: &row.id,
        severity: &row.severity,
        title: &row.title,
        resource_type,
    };
    RESOURCE_TYPES
        .iter()
        .flat_map(|each| each.controls.iter().map(move |row| template(each, row)))
        .collect()
});

impl ResourceType {
    pub(crate) fn resource_name(&self, number: usize) -> String {
        format!("{}-{number:05}", self.resource_name)
    }

    pub(crate) fn resource_id(&self, account: &str, number: usize) -> String {
        let id = self.resource_id.replace("{account}", account);
        id.replace("{name}", &self.resource_name(number))
    }
}
