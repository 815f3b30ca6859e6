// usage: sign.cjs TRUSTED_ROOT STATEMENT… [--by WORKFLOW STATEMENT…]
// Signs statements as a reusable workflow on GitHub would, with a certificate authority and a transparency
// log that exist only here; writes *.sigstore.json and the root that trusts them.
const crypto = require('crypto');
const fs = require('fs');
const mock = require('@sigstore/mock');
const { bundleToJSON } = require('@sigstore/bundle');
const { DSSEBundleBuilder, FulcioSigner, RekorWitness } = require('@sigstore/sign');
const nock = require('nock');

const WORKFLOW = 'octo-org/gates/.github/workflows/gate.yml';
const claims = (workflow) => ({
  iss: 'https://token.actions.githubusercontent.com',
  aud: 'sigstore',
  sub: 'repo:octo-org/shop:environment:production',
  job_workflow_ref_uri: `https://github.com/${workflow}@refs/heads/main`,
  job_workflow_ref: `${workflow}@refs/heads/main`,
  job_workflow_sha: 'b'.repeat(40),
  event_name: 'push',
  sha: 'a'.repeat(40),
  workflow: 'deploy',
  workflow_ref: 'octo-org/shop/.github/workflows/deploy.yml@refs/heads/main',
  workflow_sha: 'a'.repeat(40),
  repository: 'octo-org/shop',
  repository_id: '1',
  repository_owner: 'octo-org',
  repository_owner_id: '2',
  repository_visibility: 'private',
  ref: 'refs/heads/main',
  run_id: '42',
  run_attempt: '1',
  runner_environment: 'github-hosted',
});

const keys = (namedCurve) => crypto.generateKeyPairSync('ec', { namedCurve });
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

// Answers the requests to an address with a handler of the mock.
function serve(origin, handler) {
  const answer = async (_, body) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const sent = /^[0-9a-f]+$/i.test(text) ? Buffer.from(text, 'hex') : text;
    const { statusCode, response, contentType } = await handler.fn(sent);
    return [statusCode, response, { 'Content-Type': contentType || 'text/plain' }];
  };
  nock(origin).persist().post(handler.path).reply(answer);
}

function trustedRoot(authority, transparency, certificates) {
  const validFor = { start: new Date(Date.now() - 3600e3).toISOString() };
  const key = (publicKey) => ({ rawBytes: base64(publicKey), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor });
  const log = (baseUrl, publicKey, keyId) => ({
    baseUrl, hashAlgorithm: 'SHA2_256', publicKey: key(publicKey), logId: { keyId },
  });
  const logId = crypto.createHash('sha256').update(transparency.publicKey).digest('base64');
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log('https://rekor.sigstore.dev', transparency.publicKey, logId)],
    certificateAuthorities: [{
      subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
      uri: 'https://fulcio.sigstore.dev',
      certChain: { certificates: [{ rawBytes: base64(authority.rootCertificate) }] },
      validFor,
    }],
    ctlogs: [log('https://ctfe.sigstore.dev', certificates.publicKey, base64(certificates.logID))],
  };
}

async function main([root, ...rest]) {
  const certificates = await mock.initializeCTLog(keys('prime256v1'));
  const authority = await mock.initializeCA(keys('secp384r1'), certificates);
  const transparency = await mock.initializeTLog('https://rekor.sigstore.dev', keys('prime256v1'));
  serve('https://fulcio.sigstore.dev', mock.fulcioHandler(authority, { subjectClaim: 'job_workflow_ref_uri' }));
  serve('https://rekor.sigstore.dev', mock.rekorHandler(transparency));
  let workflow = WORKFLOW;
  const identityProvider = {
    getToken: async () => `${encoded({ alg: 'none' })}.${encoded(claims(workflow))}.x`,
  };
  const builder = new DSSEBundleBuilder({
    signer: new FulcioSigner({ fulcioBaseURL: 'https://fulcio.sigstore.dev', identityProvider }),
    witnesses: [new RekorWitness({ rekorBaseURL: 'https://rekor.sigstore.dev', entryType: 'dsse' })],
  });
  while (rest.length > 0) {
    let path = rest.shift();
    if (path === '--by') [workflow, path] = [rest.shift(), rest.shift()];
    const bundle = await builder.create({ data: fs.readFileSync(path), type: 'application/vnd.in-toto+json' });
    fs.writeFileSync(path.replace(/\.json$/, '.sigstore.json'), JSON.stringify(bundleToJSON(bundle)));
  }
  fs.writeFileSync(root, `${JSON.stringify(trustedRoot(authority, transparency, certificates))}\n`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
