// Runs a Jenkinsfile, or calls a shared-library step, with the few steps that ours use.
//
//   groovy jenkins.groovy FILE [ALLOWED-ORIGINS]
//
// A stand-in, not Jenkins: it shows that the script's logic is right. Prints each step, and ends
// with the build's result.
class Stop extends RuntimeException {
    Stop(String message) {
        super(message)
    }
}

class Steps {
    String result = 'SUCCESS'
    Map env = [:]
    Map secrets = [:]
    Map currentBuild = [:]
    List posts = []
    Object any
    Object always
    boolean inEnvironment

    void log(Object text) {
        println "[step] ${text}"
    }

    // --- declarative ---
    void pipeline(Closure body) { body() }
    void agent(Object which) { }
    void options(Closure body) { body() }
    void timeout(Map limits) { }
    void stages(Closure body) { body() }
    void environment(Closure body) { inEnvironment = true; body(); inEnvironment = false }
    void steps(Closure body) { body() }
    void post(Closure body) { posts << body }
    void always(Closure body) { body() }
    void script(Closure body) { body() }

    void stage(String name, Closure body) {
        if (result == 'FAILURE') { return }
        log "stage ${name}"
        // What is to be done after the steps stands after them.
        try { body() } catch (Stop stop) { result = 'FAILURE'; log "error ${stop.message}" }
        if (posts.empty) { posts << POSTS[name] }
        posts.findAll().each { it() }
        posts.clear()
    }
    Map POSTS = [:]

    // --- steps ---
    void echo(String text) { log "echo ${text}" }
    void error(String text) { throw new Stop(text) }
    void unstable(String text) { result = 'UNSTABLE'; log "unstable ${text}" }
    Map string(Map of) { of }
    Map sarif(Map of) { of }
    void archiveArtifacts(Map of) { log "archiveArtifacts ${of.artifacts}" }
    void junit(Map of) { log "junit ${of.testResults}, marks unstable: ${!of.skipMarkingBuildUnstable}, there: ${new File(of.testResults).exists()}" }
    void recordIssues(Map of) { log "recordIssues ${of.tool.pattern}" }

    void withCredentials(List of, Closure body) {
        of.each { secrets[it.variable] = 'invented' }
        try { body() } finally { secrets.clear() }
    }

    void withEnv(List of, Closure body) {
        Map before = new HashMap(env)
        of.each { String pair -> env[pair.split('=', 2)[0]] = pair.split('=', 2)[1] }
        try { body() } finally { env = before }
    }

    int sh(Map of) {
        ProcessBuilder process = new ProcessBuilder('sh', '-xe', '-c', of.script).inheritIO()
        (env + secrets).each { key, value -> process.environment().put(key.toString(), value.toString()) }
        process.start().waitFor()
    }
}
