// Runs a Jenkinsfile, or calls a shared-library step, with the few steps that ours use:
//
//   groovy jenkins.groovy FILE [ALLOWED-ORIGINS]
//
// A substitute, not Jenkins: it shows that the script's logic is right. Prints each step and the
// build's result.
import org.codehaus.groovy.control.CompilerConfiguration

class Stop extends RuntimeException {
    Stop(String message) {
        super(message)
    }
}

abstract class Steps extends Script {
    String result = 'SUCCESS'
    Map secrets = [:]

    static void log(Object text) {
        println "[step] ${text}"
    }

    // --- declarative ---
    void pipeline(Closure body) { body() }
    void agent(Object which) { }
    void options(Closure body) { body() }
    void timeout(Map limits) { }
    void stages(Closure body) { body() }
    void post(Closure body) { body() }
    void always(Closure body) { body() }
    void script(Closure body) { body() }

    void environment(Closure body) {
        body()
        binding.variables.findAll { it.key ==~ /[A-Z_]+/ }.each { binding.env[it.key] = it.value }
    }

    void stage(String name, Closure body) {
        if (result != 'FAILURE') {
            log "stage ${name}"
            body()
        }
    }

    void steps(Closure body) {
        try {
            body()
        } catch (Stop stop) {
            result = 'FAILURE'
            log "error ${stop.message}"
        }
    }

    // --- steps ---
    void echo(String text) { log "echo ${text}" }
    void error(String text) { throw new Stop(text) }
    void unstable(String text) { result = 'UNSTABLE'; log "unstable ${text}" }
    Map string(Map of) { of }
    Map sarif(Map of) { of }
    void archiveArtifacts(Map of) { log "archiveArtifacts ${of.artifacts}" }
    void recordIssues(Map of) { log "recordIssues ${of.tool.pattern}" }

    boolean fileExists(String path) { new File(path).exists() }
    String readFile(String path) { new File(path).text }

    void junit(Map of) {
        String found = new File(of.testResults).exists() ? 'found' : 'missing'
        log "junit ${found}, unstable by failures: ${!of.skipMarkingBuildUnstable}"
    }

    void catchError(Map of, Closure body) {
        try {
            body()
        } catch (Exception failed) {
            log "catchError ${failed.message}, build ${of.buildResult}, stage ${of.stageResult}"
        }
    }

    void withCredentials(List of, Closure body) {
        of.each { secrets[it.variable] = 'invented' }
        try { body() } finally { secrets.clear() }
    }

    void withEnv(List of, Closure body) {
        Map before = new HashMap(binding.env)
        of.each { binding.env[it.toString().split('=', 2)[0]] = it.toString().split('=', 2)[1] }
        try { body() } finally { binding.env = before }
    }

    int sh(Map of) {
        ProcessBuilder process = new ProcessBuilder('sh', '-xe', '-c', of.script).redirectErrorStream(true)
        (binding.env + secrets).each { key, value -> process.environment().put(key.toString(), value.toString()) }
        Process running = process.start()
        running.inputStream.eachLine { println it }
        running.waitFor()
    }
}

CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: Steps.name)
Binding variables = new Binding(env: [:], any: 'any')
Steps script = new GroovyShell(Steps.classLoader, variables, configuration).parse(new File(args[0]))
if (args.length == 1) {
    script.run()
} else {
    Map tokens = [OPENCOMPLY_API_KEY: 'one', GRAVITYZONE_API_KEY: 'other']
    script.steps { script.invokeMethod('call', [[allowedOrigins: args[1], environment: 'production', tokens: tokens]] as Object[]) }
}
println "[result] ${script.result}"
