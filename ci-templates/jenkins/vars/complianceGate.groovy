/**
 * Shared-library step:
 *   complianceGate(environment: 'production', allowedOrigins: 'https://…', tokens: [OPENCOMPLY_API_KEY: 'credentials-id'])
 *
 * Passed: the build continues. Passed with warnings: unstable. Blocked or undecided: the build
 * fails, with different messages. The reports are published in every case. `environment` is
 * required if the policy file has `environments`. `category` distinguishes two gates of one build
 * with the same `config` and `environment`.
 */
void call(Map options) {
    // The gates of one build must not replace each other's reports, and the id of issues is unique.
    List names = ['compliance-gate', options.config, options.environment, options.category]
    String name = names.findAll().join('-').replaceAll('[^A-Za-z0-9._-]', '-')
    String reports = options.reports ?: "compliance-gate-reports/${name}"
    // Secrets: Jenkins credentials of the kind Secret text. The map is from variable to credential.
    List tokens = options.tokens.collect { variable, id ->
        string(variable: variable, credentialsId: id)
    }
    List settings = [
        "COMPLIANCE_GATE_ALLOWED_ORIGINS=${options.allowedOrigins}",
        "COMPLIANCE_GATE_CONFIG=${options.config ?: ''}",
        "COMPLIANCE_GATE_ENVIRONMENT=${options.environment ?: ''}",
        'COMPLIANCE_GATE_WARN_EXIT_CODE=10',
        "COMPLIANCE_GATE_DOTENV=${reports}/gate.env",
        "COMPLIANCE_GATE_HTML=${reports}/report.html",
        "COMPLIANCE_GATE_JSON=${reports}/report.json",
        "COMPLIANCE_GATE_JUNIT=${reports}/junit.xml",
        "COMPLIANCE_GATE_SARIF=${reports}/compliance-gate.sarif",
    ]
    // The policy of the organisation: a file that the repository cannot change, and its digest.
    if (options.orgPolicy) {
        settings += [
            "COMPLIANCE_GATE_ORG_POLICY=${options.orgPolicy}",
            "COMPLIANCE_GATE_ORG_POLICY_SHA256=${options.orgPolicySha256 ?: ''}",
        ]
    }
    int code = 3
    try {
        withEnv(settings) {
            withCredentials(tokens) {
                code = sh(script: 'compliance-gate run', returnStatus: true)
            }
        }
    } finally {
        // A failure to publish makes the stage unstable, and never changes a verdict.
        catchError(buildResult: null, stageResult: 'UNSTABLE', catchInterruptions: false,
            message: 'Failed to publish the reports') {
            archiveArtifacts artifacts: "${reports}/**", allowEmptyArchive: true
            // The exit code decides, not the number of failed cases.
            junit testResults: "${reports}/junit.xml", allowEmptyResults: true, skipMarkingBuildUnstable: true
            // With incomplete evidence, what was not read would look fixed.
            String outputs = "${reports}/gate.env"
            if (fileExists(outputs) && readFile(outputs).contains('COMPLIANCE_GATE_EVIDENCE_COMPLETE=true')) {
                recordIssues tool: sarif(pattern: "${reports}/compliance-gate.sarif", id: name)
            }
        }
    }
    switch (code) {
        case 0:
            return
        case 10:
            unstable 'Compliance gate passed, with warnings.'
            return
        case 1:
            error 'Compliance gate BLOCKED: the evidence breaches the policy. See the log for what to fix first.'
        case 2:
            error 'Compliance gate could not run: the policy or the configuration is invalid. See the log.'
        default:
            error "Compliance gate could not decide (exit code ${code}): evidence is missing, or a platform " +
                'denied access or did not answer. This says nothing about compliance itself.'
    }
}
