//! The controls that frameworks are made of, and the resources that they look at.

/// A control as the platform's authors wrote it.
pub(crate) struct Template {
    pub(crate) id: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) integration_type: &'static str,
    pub(crate) resource_type: &'static str,
    pub(crate) title: &'static str,
}

const AWS: &str = "aws_cloud_account";
const AZURE: &str = "azure_subscription";
const GITHUB: &str = "github_account";

const fn control(
    id: &'static str,
    severity: &'static str,
    integration_type: &'static str,
    resource_type: &'static str,
    title: &'static str,
) -> Template {
    Template { id, severity, integration_type, resource_type, title }
}

/// 26 controls for AWS, 15 for Azure, 5 for GitHub; every type has every severity.
pub(crate) const TEMPLATES: &[Template] = &[
    control(
        "aws_s3_bucket_public_access_blocked",
        "high",
        AWS,
        "AWS::S3::Bucket",
        "S3 buckets block public access",
    ),
    control(
        "aws_s3_bucket_encrypted",
        "medium",
        AWS,
        "AWS::S3::Bucket",
        "S3 buckets are encrypted at rest",
    ),
    control("aws_s3_bucket_versioned", "low", AWS, "AWS::S3::Bucket", "S3 buckets keep versions"),
    control(
        "aws_s3_bucket_tls_only",
        "high",
        AWS,
        "AWS::S3::Bucket",
        "S3 buckets refuse requests without TLS",
    ),
    control(
        "aws_iam_root_mfa",
        "critical",
        AWS,
        "AWS::IAM::User",
        "The root user signs in with MFA",
    ),
    control(
        "aws_iam_user_mfa",
        "high",
        AWS,
        "AWS::IAM::User",
        "IAM users with a password sign in with MFA",
    ),
    control(
        "aws_iam_user_no_inline_policy",
        "low",
        AWS,
        "AWS::IAM::User",
        "IAM users have no inline policies",
    ),
    control(
        "aws_iam_access_key_rotated",
        "medium",
        AWS,
        "AWS::IAM::AccessKey",
        "IAM access keys are rotated every 90 days",
    ),
    control(
        "aws_iam_policy_no_full_admin",
        "high",
        AWS,
        "AWS::IAM::Policy",
        "IAM policies do not allow \"*:*\" & \"<all>\" actions",
    ),
    control(
        "aws_ec2_security_group_no_open_ssh",
        "high",
        AWS,
        "AWS::EC2::SecurityGroup",
        "Security groups do not open SSH to the internet",
    ),
    control(
        "aws_ec2_security_group_no_open_rdp",
        "high",
        AWS,
        "AWS::EC2::SecurityGroup",
        "Security groups do not open RDP to the internet",
    ),
    control(
        "aws_ec2_instance_imdsv2",
        "high",
        AWS,
        "AWS::EC2::Instance",
        "EC2 instances require IMDSv2",
    ),
    control(
        "aws_ec2_instance_no_public_ip",
        "high",
        AWS,
        "AWS::EC2::Instance",
        "EC2 instances have no public address",
    ),
    control(
        "aws_ec2_instance_owner_tag",
        "none",
        AWS,
        "AWS::EC2::Instance",
        "EC2 instances carry an owner tag",
    ),
    control(
        "aws_ebs_volume_encrypted",
        "medium",
        AWS,
        "AWS::EC2::Volume",
        "EBS volumes are encrypted",
    ),
    control(
        "aws_ebs_snapshot_private",
        "critical",
        AWS,
        "AWS::EC2::Snapshot",
        "EBS snapshots are not public",
    ),
    control("aws_vpc_flow_logs", "medium", AWS, "AWS::EC2::VPC", "VPCs log their flows"),
    control(
        "aws_rds_instance_private",
        "critical",
        AWS,
        "AWS::RDS::DBInstance",
        "RDS instances are not public",
    ),
    control(
        "aws_rds_instance_encrypted",
        "high",
        AWS,
        "AWS::RDS::DBInstance",
        "RDS instances are encrypted",
    ),
    control(
        "aws_rds_instance_backup",
        "medium",
        AWS,
        "AWS::RDS::DBInstance",
        "RDS instances are backed up",
    ),
    control(
        "aws_cloudtrail_all_regions",
        "high",
        AWS,
        "AWS::CloudTrail::Trail",
        "CloudTrail records every region",
    ),
    control(
        "aws_cloudtrail_validated",
        "low",
        AWS,
        "AWS::CloudTrail::Trail",
        "CloudTrail validates its log files",
    ),
    control("aws_kms_key_rotation", "medium", AWS, "AWS::KMS::Key", "KMS keys are rotated"),
    control(
        "aws_lambda_function_private",
        "high",
        AWS,
        "AWS::Lambda::Function",
        "Lambda functions are not public",
    ),
    control(
        "aws_lambda_runtime_supported",
        "medium",
        AWS,
        "AWS::Lambda::Function",
        "Lambda functions run on a supported runtime",
    ),
    control(
        "aws_guardduty_enabled",
        "high",
        AWS,
        "AWS::GuardDuty::Detector",
        "GuardDuty is enabled",
    ),
    control(
        "azure_storage_https_only",
        "high",
        AZURE,
        "Microsoft.Storage/storageAccounts",
        "Storage accounts accept HTTPS only",
    ),
    control(
        "azure_storage_no_public_blobs",
        "critical",
        AZURE,
        "Microsoft.Storage/storageAccounts",
        "Storage accounts have no public blobs",
    ),
    control(
        "azure_storage_tls_1_2",
        "medium",
        AZURE,
        "Microsoft.Storage/storageAccounts",
        "Storage accounts require TLS 1.2",
    ),
    control(
        "azure_sql_server_tde",
        "high",
        AZURE,
        "Microsoft.Sql/servers",
        "SQL servers encrypt their data",
    ),
    control(
        "azure_sql_server_closed",
        "high",
        AZURE,
        "Microsoft.Sql/servers",
        "SQL servers are closed to the internet",
    ),
    control(
        "azure_sql_server_audited",
        "medium",
        AZURE,
        "Microsoft.Sql/servers",
        "SQL servers are audited",
    ),
    control(
        "azure_key_vault_purge_protection",
        "medium",
        AZURE,
        "Microsoft.KeyVault/vaults",
        "Key vaults are protected against purges",
    ),
    control(
        "azure_key_vault_rbac",
        "low",
        AZURE,
        "Microsoft.KeyVault/vaults",
        "Key vaults use role based access",
    ),
    control(
        "azure_vm_disk_encrypted",
        "high",
        AZURE,
        "Microsoft.Compute/virtualMachines",
        "Virtual machines encrypt their disks",
    ),
    control(
        "azure_vm_managed_identity",
        "low",
        AZURE,
        "Microsoft.Compute/virtualMachines",
        "Virtual machines use a managed identity",
    ),
    control(
        "azure_vm_owner_tag",
        "none",
        AZURE,
        "Microsoft.Compute/virtualMachines",
        "Virtual machines carry an owner tag",
    ),
    control(
        "azure_nsg_no_open_ssh",
        "high",
        AZURE,
        "Microsoft.Network/networkSecurityGroups",
        "Network security groups do not open SSH to the internet",
    ),
    control(
        "azure_nsg_no_open_rdp",
        "high",
        AZURE,
        "Microsoft.Network/networkSecurityGroups",
        "Network security groups do not open RDP to the internet",
    ),
    control(
        "azure_nsg_flow_logs",
        "medium",
        AZURE,
        "Microsoft.Network/networkSecurityGroups",
        "Network security groups log their flows",
    ),
    control(
        "azure_aks_rbac",
        "high",
        AZURE,
        "Microsoft.ContainerService/managedClusters",
        "Kubernetes clusters use role based access",
    ),
    control(
        "github_org_two_factor",
        "critical",
        GITHUB,
        "Github/Organization",
        "Members sign in with two factors",
    ),
    control(
        "github_repo_branch_protected",
        "high",
        GITHUB,
        "Github/Repository",
        "Default branches are protected",
    ),
    control(
        "github_repo_secret_scanning",
        "medium",
        GITHUB,
        "Github/Repository",
        "Repositories are scanned for secrets",
    ),
    control(
        "github_repo_license",
        "low",
        GITHUB,
        "Github/Repository",
        "Repositories have a license",
    ),
    control(
        "github_repo_description",
        "none",
        GITHUB,
        "Github/Repository",
        "Repositories have a description",
    ),
];

/// How resources of a type are named and identified: `{account}` is the provider's id, `{name}` the
/// name, which is the stem and a number.
pub(crate) fn naming(resource_type: &str) -> (&'static str, &'static str) {
    match resource_type {
        "AWS::S3::Bucket" => ("example-data", "arn:aws:s3:::{name}"),
        "AWS::IAM::User" => ("user", "arn:aws:iam::{account}:user/{name}"),
        "AWS::IAM::AccessKey" => ("access-key", "arn:aws:iam::{account}:access-key/{name}"),
        "AWS::IAM::Policy" => ("policy", "arn:aws:iam::{account}:policy/{name}"),
        "AWS::EC2::SecurityGroup" => {
            ("sg-0a", "arn:aws:ec2:eu-central-1:{account}:security-group/{name}")
        }
        "AWS::EC2::Instance" => ("i-0b", "arn:aws:ec2:eu-central-1:{account}:instance/{name}"),
        "AWS::EC2::Volume" => ("vol-0c", "arn:aws:ec2:eu-central-1:{account}:volume/{name}"),
        "AWS::EC2::Snapshot" => ("snap-0d", "arn:aws:ec2:eu-central-1::snapshot/{name}"),
        "AWS::EC2::VPC" => ("vpc-0e", "arn:aws:ec2:eu-central-1:{account}:vpc/{name}"),
        "AWS::RDS::DBInstance" => ("db", "arn:aws:rds:eu-central-1:{account}:db:{name}"),
        "AWS::CloudTrail::Trail" => {
            ("trail", "arn:aws:cloudtrail:eu-central-1:{account}:trail/{name}")
        }
        "AWS::KMS::Key" => ("key", "arn:aws:kms:eu-central-1:{account}:key/{name}"),
        "AWS::Lambda::Function" => ("fn", "arn:aws:lambda:eu-central-1:{account}:function:{name}"),
        "AWS::GuardDuty::Detector" => {
            ("detector", "arn:aws:guardduty:eu-central-1:{account}:detector/{name}")
        }
        "Github/Organization" | "Github/Repository" => {
            ("repo", "https://github.example/{account}/{name}")
        }
        "Microsoft.Storage/storageAccounts" => (
            "examplestore",
            "/subscriptions/{account}/resourceGroups/production/providers/Microsoft.Storage/storageAccounts/{name}",
        ),
        "Microsoft.Sql/servers" => (
            "sql",
            "/subscriptions/{account}/resourceGroups/production/providers/Microsoft.Sql/servers/{name}",
        ),
        "Microsoft.KeyVault/vaults" => (
            "vault",
            "/subscriptions/{account}/resourceGroups/production/providers/Microsoft.KeyVault/vaults/{name}",
        ),
        "Microsoft.Compute/virtualMachines" => (
            "vm",
            "/subscriptions/{account}/resourceGroups/production/providers/Microsoft.Compute/virtualMachines/{name}",
        ),
        "Microsoft.Network/networkSecurityGroups" => (
            "nsg",
            "/subscriptions/{account}/resourceGroups/production/providers/Microsoft.Network/networkSecurityGroups/{name}",
        ),
        _ => ("resource", "/subscriptions/{account}/resourceGroups/production/providers/{name}"),
    }
}
