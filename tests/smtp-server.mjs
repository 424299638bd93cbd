// A mail server for tests: nodemailer's smtp-server with the recipients' names deciding what goes wrong.
// First line of standard input: JSON {tls: "none"|"starttls"|"tls", key, cert, user?, password?}. Speaks JSON lines on standard output:
// first {"port"}, then {"mail":{from,to,raw}} for each accepted mail. Ends when standard input does.
import { createInterface } from "node:readline";
import { SMTPServer } from "smtp-server";

const input = createInterface({ input: process.stdin });
input.on("close", () => process.exit(0));
const options = JSON.parse((await input[Symbol.asyncIterator]().next()).value);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const fault = (code, text) => Object.assign(new Error(text), { responseCode: code });

const recipientFaults = {
  nobody: [550, "5.1.1 no such user"],
  moved: [551, "5.1.6 user not local"],
  full: [552, "5.2.2 mailbox full"],
  odd: [553, "5.1.3 mailbox name not allowed"],
  greylisted: [451, "4.7.1 greylisted, come back later"],
  busy: [421, "4.3.2 too busy"],
};

const server = new SMTPServer({
  secure: options.tls === "tls",
  hideSTARTTLS: options.tls !== "starttls",
  key: options.key,
  cert: options.cert,
  authOptional: !options.user,
  disabledCommands: options.user ? [] : ["AUTH"],
  // AUTH is offered only on an encrypted connection, as real servers do.
  allowInsecureAuth: false,
  logger: false,
  onAuth(auth, session, done) {
    if (auth.username === "backend-down") return done(fault(454, "4.7.0 temporary authentication failure"));
    const right = auth.username === options.user && auth.password === options.password;
    return right ? done(null, { user: auth.username }) : done(fault(535, "5.7.8 authentication failed"));
  },
  onRcptTo(address, session, done) {
    const name = address.address.split("@")[0];
    if (name === "cut") return this.connections.forEach((c) => c._socket.destroy());
    const wrong = recipientFaults[name];
    return wrong ? done(fault(...wrong)) : done();
  },
  onData(stream, session, done) {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const to = session.envelope.rcptTo.map((r) => r.address);
      if (to.some((address) => address.startsWith("spam@"))) return done(fault(554, "5.7.1 message rejected"));
      say({ mail: { from: session.envelope.mailFrom.address, to, raw: Buffer.concat(parts).toString("utf8") } });
      return done(null, "2.0.0 Ok: queued as 4F2A1C");
    });
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => say({ port: server.server.address().port }));
