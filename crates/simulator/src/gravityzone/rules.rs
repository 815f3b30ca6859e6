//! The rules that checks are made by, and the controls that they prove.

/// The providers that rules exist for.
pub(crate) const PROVIDERS: [&str; 3] = ["aws", "azure", "gcp"];

/// A rule.
pub(crate) struct Rule {
    /// The name without `cloud_scan/`; it begins with the provider.
    pub(crate) name: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) resource_type: &'static str,
    /// The resource's id after `{region}` and `{account}` and `{name}`; None for checks of a whole
    /// account, whose resource is null (GZ §2.2).
    pub(crate) resource: Option<&'static str>,
    pub(crate) title: &'static str,
    pub(crate) controls: &'static [Control],
}

/// A control of a standard. Its id alone is not unique (GZ §2.2).
pub(crate) struct Control {
    pub(crate) standard: &'static str,
    pub(crate) section: &'static str,
    pub(crate) id: &'static str,
}

impl Rule {
    pub(crate) fn provider(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }
}

const fn of(standard: &'static str, section: &'static str, id: &'static str) -> Control {
    Control { standard, section, id }
}

const NETWORK: &[Control] = &[
    of("nist-sp-800-53-r5", "CM", "CM-7"),
    of("seojk-29-2022", "I", "I.c.2.h"),
    of("soc-2", "CC6", "CC6.6"),
];
const IDENTITY: &[Control] = &[
    of("nist-sp-800-53-r5", "IA", "IA-2(1)"),
    of("sg-pdpa-26-2012", "CC6", "CC6.0.24"),
    of("soc-2", "CC6", "CC6.1"),
];
const DATA: &[Control] = &[
    of("nist-sp-800-53-r5", "SC", "SC-28"),
    of("pojk-11-2022", "IV", "IV.2.17"),
    of("soc-2", "CC6", "CC6.7"),
];
const RECORDS: &[Control] = &[
    of("nist-sp-800-53-r5", "AU", "AU-12"),
    of("seojk-21", "7", "7.3.2"),
    of("korean-isms-p", "2.9", "2.9.4"),
];
const INVENTORY: &[Control] =
    &[of("nist-sp-800-53-r5", "CM", "CM-8(2)"), of("ccop-v2", "4", "4.1.1")];

const fn rule(
    name: &'static str,
    severity: &'static str,
    resource_type: &'static str,
    resource: Option<&'static str>,
    title: &'static str,
    controls: &'static [Control],
) -> Rule {
    Rule { name, severity, resource_type, resource, title, controls }
}

const GROUP: Option<&str> = Some("arn:aws:ec2:{region}:{account}:security-group/{name}");
const BUCKET: Option<&str> = Some("arn:aws:s3:::{name}");
const USER: Option<&str> = Some("arn:aws:iam::{account}:user/{name}");
const VOLUME: Option<&str> = Some("arn:aws:ec2:{region}:{account}:volume/{name}");
const DATABASE: Option<&str> = Some("arn:aws:rds:{region}:{account}:db:{name}");
const INSTANCE: Option<&str> = Some("arn:aws:ec2:{region}:{account}:instance/{name}");
const STORE: Option<&str> = Some(
    "/subscriptions/{account}/resourceGroups/main/providers/Microsoft.Storage/storageAccounts/{name}",
);
const VAULT: Option<&str> =
    Some("/subscriptions/{account}/resourceGroups/main/providers/Microsoft.KeyVault/vaults/{name}");
const MACHINE: Option<&str> = Some(
    "/subscriptions/{account}/resourceGroups/main/providers/Microsoft.Compute/virtualMachines/{name}",
);
const GCS: Option<&str> = Some("//storage.googleapis.com/projects/{account}/buckets/{name}");
const GCE: Option<&str> =
    Some("//compute.googleapis.com/projects/{account}/zones/{region}/instances/{name}");

/// AWS has rules of every severity. The first three are those of the documentation's examples.
pub(crate) const RULES: &[Rule] = &[
    rule(
        "aws/ec2/security_group_unrestricted_ingress_access_mssql",
        "medium",
        "EC2 Security Group",
        GROUP,
        "Unrestricted EC2 Security Group Ingress Rule - MSSQL Access",
        NETWORK,
    ),
    rule(
        "aws/config/log_files_delivery_failing",
        "medium",
        "Configuration Recorder",
        None,
        "Config Log File Delivery Failing",
        RECORDS,
    ),
    rule(
        "aws/config/not_in_use",
        "high",
        "Configuration Recorder",
        None,
        "AWS Config Not Enabled",
        INVENTORY,
    ),
    rule(
        "aws/ec2/security_group_unrestricted_ingress_access_ssh",
        "high",
        "EC2 Security Group",
        GROUP,
        "Unrestricted EC2 Security Group Ingress Rule - SSH Access",
        NETWORK,
    ),
    rule(
        "aws/ec2/instance_metadata_v1",
        "high",
        "EC2 Instance",
        INSTANCE,
        "EC2 Instance Answers Metadata Version 1",
        IDENTITY,
    ),
    rule(
        "aws/ec2/volume_not_encrypted",
        "medium",
        "EBS Volume",
        VOLUME,
        "EBS Volume Not Encrypted",
        DATA,
    ),
    rule(
        "aws/ec2/unattached_volume",
        "informational",
        "EBS Volume",
        VOLUME,
        "EBS Volume Not Attached",
        INVENTORY,
    ),
    rule(
        "aws/s3/bucket_public_write",
        "critical",
        "S3 Bucket",
        BUCKET,
        "S3 Bucket Writable By Anyone",
        DATA,
    ),
    rule(
        "aws/s3/bucket_versioning_disabled",
        "low",
        "S3 Bucket",
        BUCKET,
        "S3 Bucket Versioning Disabled",
        DATA,
    ),
    rule(
        "aws/s3/bucket_logging_disabled",
        "low",
        "S3 Bucket",
        BUCKET,
        "S3 Bucket Logging Disabled",
        RECORDS,
    ),
    rule(
        "aws/iam/root_account_mfa_disabled",
        "critical",
        "IAM User",
        USER,
        "Root Account Signs In Without MFA",
        IDENTITY,
    ),
    rule(
        "aws/iam/user_mfa_disabled",
        "high",
        "IAM User",
        USER,
        "IAM User Signs In Without MFA",
        IDENTITY,
    ),
    rule(
        "aws/iam/access_key_not_rotated",
        "medium",
        "IAM User",
        USER,
        "IAM Access Key Not Rotated",
        IDENTITY,
    ),
    rule(
        "aws/rds/instance_public",
        "critical",
        "RDS Instance",
        DATABASE,
        "RDS Instance Publicly Accessible",
        NETWORK,
    ),
    rule(
        "aws/rds/instance_minor_upgrades_off",
        "low",
        "RDS Instance",
        DATABASE,
        "RDS Instance Without Automatic Minor Upgrades",
        INVENTORY,
    ),
    rule(
        "aws/cloudtrail/not_in_use",
        "high",
        "CloudTrail",
        None,
        "CloudTrail Not Enabled",
        RECORDS,
    ),
    rule(
        "azure/storage/https_not_enforced",
        "high",
        "Storage Account",
        STORE,
        "Storage Account Accepts HTTP",
        DATA,
    ),
    rule(
        "azure/storage/soft_delete_disabled",
        "low",
        "Storage Account",
        STORE,
        "Storage Account Without Soft Delete",
        DATA,
    ),
    rule(
        "azure/keyvault/purge_protection_disabled",
        "medium",
        "Key Vault",
        VAULT,
        "Key Vault Without Purge Protection",
        DATA,
    ),
    rule(
        "azure/compute/disk_not_encrypted",
        "medium",
        "Virtual Machine",
        MACHINE,
        "Virtual Machine Disk Not Encrypted",
        DATA,
    ),
    rule(
        "azure/compute/machine_untagged",
        "informational",
        "Virtual Machine",
        MACHINE,
        "Virtual Machine Without Owner Tag",
        INVENTORY,
    ),
    rule(
        "gcp/storage/bucket_public",
        "critical",
        "Cloud Storage Bucket",
        GCS,
        "Cloud Storage Bucket Publicly Readable",
        DATA,
    ),
    rule(
        "gcp/storage/uniform_access_disabled",
        "medium",
        "Cloud Storage Bucket",
        GCS,
        "Cloud Storage Bucket Without Uniform Access",
        IDENTITY,
    ),
    rule(
        "gcp/compute/serial_port_enabled",
        "low",
        "Compute Instance",
        GCE,
        "Compute Instance Serial Port Enabled",
        NETWORK,
    ),
];
