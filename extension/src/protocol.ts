// Generated from the method table by `go generate ./handlers`. Do not edit.

export type NetworkMode = "none" | "allowlist" | "full";

export type Strength = "hard" | "watched" | "none";

export interface CreateParams {
  /** letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit */
  name: string;
  /** language id, with @version to ask for one */
  language?: string;
  /** docker, native, vagrant or auto */
  runtime?: string;
  /** says what these params do not, and what is in the VM from the start */
  template?: string;
  /** OCI image instead of the language's own */
  image?: string;
  /** begin with the files of another VM: its snapshot's id, or VM/SNAPSHOT; what is not said is as in that VM */
  snapshot?: number | string;
  /** of the language, as vm/installPackages takes them: they are there from the start, whatever the VM's network */
  packages?: string[];
  /** cores */
  cpuLimit?: number;
  /** MiB */
  memoryLimit?: number;
  /** MiB */
  diskLimit?: number;
  /** processes and threads */
  pidsLimit?: number;
  /** seconds an execution may take when it does not say */
  timeout?: number;
  /** seconds without use until it is stopped; 0 = never */
  idleTimeout?: number;
  /** seconds until it is deleted; 0 = never */
  ttl?: number;
  /** policy, or its mode alone */
  network?: Network | NetworkMode;
  /** engine runtime, such as runsc */
  isolation?: string;
  /** environment of every execution */
  env?: Record<string, string>;
  /** yours, to select by */
  labels?: Record<string, string>;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface Network {
  mode: NetworkMode;
  /** with allowlist: domains (example.com), all below one (*.example.com) or IP addresses, each with :port where it is neither 80 nor 443 */
  allow?: string[];
}

export interface VM {
  id: number;
  /** unique for its user */
  name: string;
  /** its owner */
  user: string;
  status: "creating" | "running" | "stopped" | "snapshotting" | "restoring" | "error" | "deleting";
  /** language id, with @version when one was asked for */
  language: string;
  /** the driver that made it */
  runtime: string;
  /** the engine's own id */
  containerId: string;
  /** OCI image; empty = the host's toolchains, read-only */
  image: string;
  /** that it was made from; empty = none */
  template: string;
  /** cores */
  cpuLimit: number;
  /** MiB */
  memoryLimit: number;
  /** MiB */
  diskLimit: number;
  /** processes and threads */
  pidsLimit: number;
  /** seconds an execution may take when it does not say */
  timeout: number;
  /** seconds without use until it is stopped; 0 = never */
  idleTimeout: number;
  network: Network;
  /** engine runtime, such as runsc */
  isolation?: string;
  ip: string;
  /** how hard each limit is held */
  enforcement: Enforcement;
  labels: Record<string, string>;
  createdAt: string;
  startedAt: string | null;
  stoppedAt: string | null;
  /** when it is deleted; null = never */
  expiresAt: string | null;
  /** why its status is error */
  error?: string;
}

export interface Enforcement {
  cpu: Strength;
  memory: Strength;
  disk: Strength;
  pids: Strength;
  network: Strength;
}

export interface ListParams {
  status?: "creating" | "running" | "stopped" | "snapshotting" | "restoring" | "error" | "deleting";
  language?: string;
  /** key or key=value */
  label?: string;
  /** also other users' VMs */
  allUsers?: boolean;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ListResult {
  vms: VM[];
}

export interface IDParams {
  /** the VM's id or name */
  id: number | string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface StatusResult {
  vm: VM;
  /** zero while the VM does not run */
  stats: Stats;
  runningExecutions: Execution[];
}

export interface Stats {
  /** of one core */
  cpuPercent: number;
  /** rounded up */
  memoryMiB: number;
  /** written over the image, rounded up */
  diskMiB: number;
  pids: number;
  /** seconds */
  uptime: number;
}

export interface Execution {
  id: number;
  vmId: number;
  vmName: string;
  /** absent only where a batch could not run the code in a VM */
  verdict?: "running" | "exited" | "timeout" | "cancelled" | "outOfMemory" | "diskFull" | "pidsLimit" | "signaled" | "vmStopped" | "lost";
  /** build when the program did not come to run; absent with the verdict */
  phase?: "build" | "run";
  /** standard output; when truncated its beginning and its end */
  output: string;
  /** standard error likewise */
  error: string;
  exitCode: number;
  /** that ended the program, such as SIGSEGV */
  signal?: string;
  /** seconds of wall clock */
  executionTime: number;
  /** seconds of all cores */
  cpuTime: number;
  /** rounded up */
  peakMemoryMiB: number;
  /** bytes left out of the record */
  truncated: Truncated;
  code: string;
  language: string;
  session?: string;
  /** value of the last expression, in a session */
  result?: string;
  /** that the session's interpreter has ended, or was started anew, and why */
  sessionNote?: string;
  /** why vm/undo cannot go back to before it, where a checkpoint was due */
  checkpointNote?: string;
  /** what a session's code shows beside text */
  artifacts?: Artifact[];
  /** what the compiler or the failing program said about places in the code, as LSP diagnostics in the document that it came from */
  diagnostics?: Diagnostic[];
  executedAt: string;
}

export interface Truncated {
  stdout: number;
  stderr: number;
}

export interface Artifact {
  mime: string;
  name: string;
  /** base64 */
  data: string;
}

export interface Diagnostic {
  range: Range;
  /** 1 error, 2 warning, 3 information */
  severity: number;
  codeDescription?: CodeDescription;
  /** the execution, such as #12 */
  code?: string;
  /** name of the VM */
  source: string;
  message: string;
  /** how the program got there, innermost first; absent where no document was named */
  relatedInformation?: RelatedInformation[];
}

export interface Range {
  start: Position;
  end: Position;
}

export interface Position {
  line: number;
  character: number;
}

export interface CodeDescription {
  /** the execution, as a document of the scheme itechsmart-vm */
  href: string;
}

export interface RelatedInformation {
  location: Location;
  message: string;
}

export interface Location {
  uri: string;
  range: Range;
}

export interface ForceParams {
  /** the VM's id or name */
  id: number | string;
  /** kill at once instead of asking processes to end */
  force?: boolean;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface Empty {
}

export interface ExecuteParams {
  /** the VM; without it a scratch VM of the language is made or reused */
  id?: number | string;
  /** standard input stays open for vm/input */
  openStdin?: boolean;
  /** answer at once; the program goes on, without a time limit unless one is given */
  detach?: boolean;
  /** name of the interpreter that is kept for it: variables stay from one execution to the next */
  session?: string;
  code: string;
  /** default: the VM's own */
  language?: string;
  stdin?: string;
  /** arguments of the program */
  args?: string[];
  env?: Record<string, string>;
  /** working directory; default: the VM user's home */
  cwd?: string;
  /** placed in the working directory first */
  files?: File[];
  /** seconds, at most 600 */
  timeout?: number;
  /** who runs it inside the VM */
  user?: "sandbox" | "root";
  /** take a snapshot first, for vm/undo; default: the setting checkpoint */
  checkpoint?: boolean;
  /** the document that the code comes from */
  uri?: string;
  /** absolute path of a folder of the caller's machine, where the server runs: the program works in a copy of it, which goes with the execution or the session; the code takes its document's place there, so that it finds its neighbours; at most 20000 files and 128 MiB */
  workspace?: string;
  /** where in that document */
  range?: Range;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface File {
  /** relative to the working directory */
  path: string;
  content: string;
  encoding?: "utf-8" | "base64";
  /** permission bits, as a decimal number; default 420, which is 0644 */
  mode?: number;
}

export interface BatchParams {
  /** default: all running VMs of the user */
  vmIds?: (number | string)[];
  /** instead of vmIds: languages, with @version, for each of which a VM is made and removed afterwards; those made at once must fit the quota */
  matrix?: string[];
  /** in how many VMs at once; default 10 */
  maxParallel?: number;
  /** the first failure cancels what runs in the others, and starts no more */
  failFast?: boolean;
  code: string;
  /** default: the VM's own */
  language?: string;
  stdin?: string;
  /** arguments of the program */
  args?: string[];
  env?: Record<string, string>;
  /** working directory; default: the VM user's home */
  cwd?: string;
  /** placed in the working directory first */
  files?: File[];
  /** seconds, at most 600 */
  timeout?: number;
  /** who runs it inside the VM */
  user?: "sandbox" | "root";
  /** take a snapshot first, for vm/undo; default: the setting checkpoint */
  checkpoint?: boolean;
  /** the document that the code comes from */
  uri?: string;
  /** absolute path of a folder of the caller's machine, where the server runs: the program works in a copy of it, which goes with the execution or the session; the code takes its document's place there, so that it finds its neighbours; at most 20000 files and 128 MiB */
  workspace?: string;
  /** where in that document */
  range?: Range;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface BatchResult {
  results: BatchItem[];
  /** identical output and exit code, largest group first; of equally large ones, that of the first VM */
  groups: BatchGroup[];
}

export interface BatchItem {
  id: number;
  vmId: number;
  vmName: string;
  /** absent only where a batch could not run the code in a VM */
  verdict?: "running" | "exited" | "timeout" | "cancelled" | "outOfMemory" | "diskFull" | "pidsLimit" | "signaled" | "vmStopped" | "lost";
  /** build when the program did not come to run; absent with the verdict */
  phase?: "build" | "run";
  /** standard output; when truncated its beginning and its end */
  output: string;
  /** standard error likewise */
  error: string;
  exitCode: number;
  /** that ended the program, such as SIGSEGV */
  signal?: string;
  /** seconds of wall clock */
  executionTime: number;
  /** seconds of all cores */
  cpuTime: number;
  /** rounded up */
  peakMemoryMiB: number;
  /** bytes left out of the record */
  truncated: Truncated;
  code: string;
  language: string;
  session?: string;
  /** value of the last expression, in a session */
  result?: string;
  /** that the session's interpreter has ended, or was started anew, and why */
  sessionNote?: string;
  /** why vm/undo cannot go back to before it, where a checkpoint was due */
  checkpointNote?: string;
  /** what a session's code shows beside text */
  artifacts?: Artifact[];
  /** what the compiler or the failing program said about places in the code, as LSP diagnostics in the document that it came from */
  diagnostics?: Diagnostic[];
  executedAt: string;
  /** set when the code could not be run in this VM; the message is in error */
  failure?: ErrorData;
}

export interface ErrorData {
  kind: string;
  field?: string;
  hint?: string;
}

export interface BatchGroup {
  vmIds: number[];
  output: string;
  exitCode: number;
  /** set on the first group: the others are compared with it */
  majority?: boolean;
  /** unified diff from the majority's output to this one, at most 64 KiB; absent where the outputs are the same */
  diff?: string;
}

export interface InputParams {
  executionId: number;
  text?: string;
  /** close standard input after the text */
  eof?: boolean;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface SignalParams {
  executionId: number;
  /** such as SIGINT; SIGKILL ends the whole tree */
  signal: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface AttachParams {
  executionId: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ExecutionsParams {
  /** the VM; default: all of the user's */
  id?: number | string;
  /** default 50, at most 1000 */
  limit?: number;
  /** execution id to go back from */
  before?: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ExecutionsResult {
  executions: Execution[];
}

export interface LogsParams {
  /** the VM's id or name */
  id: number | string;
  /** lines, default 200 */
  tail?: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface LogsResult {
  lines: LogLine[];
}

export interface LogLine {
  time: string;
  stream: string;
  text: string;
}

export interface SnapshotParams {
  /** the VM's id or name */
  id: number | string;
  /** unique in the VM, and not a number; default: manual-ID */
  name?: string;
  comment?: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface Snapshot {
  id: number;
  vmId: number;
  /** unique in its VM */
  name: string;
  comment?: string;
  /** auto: taken before an execution */
  kind: "manual" | "auto";
  /** the snapshot that the VM's files came from before; absent when it was none */
  parent?: number;
  /** what it takes up beside earlier ones */
  sizeBytes: number;
  createdAt: string;
}

export interface SnapshotsParams {
  /** the VM; default: all */
  id?: number | string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface SnapshotsResult {
  snapshots: Snapshot[];
}

export interface DiffParams {
  /** the VM's id or name */
  id: number | string;
  /** a snapshot's id or name; default: what vm/undo would put back, or, with to, the snapshot before that */
  from?: number | string;
  /** a snapshot's id or name; default: the files as they are now */
  to?: number | string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface DiffResult {
  /** the snapshot's id */
  from: number;
  /** the snapshot's id; absent for the files as they are now */
  to?: number;
  /** folders before what is in them */
  files: FileDiff[];
  /** there are more than the 5000 that are told */
  more: boolean;
}

export interface FileDiff {
  /** absolute, in the VM */
  path: string;
  change: "created" | "modified" | "deleted";
  /** what is there now, or was there */
  type: "file" | "folder" | "link" | "other";
  /** of a file, now, or as it was when it is deleted */
  sizeBytes: number;
  /** permission bits, as a decimal number, now, or as they were */
  mode: number;
  /** as git diff writes it: type and permissions, text line by line, links; nothing for folders */
  patch?: string;
  /** why a file whose content differs has no patch: it is no text, has more than 256 KiB, there are 4 MiB of patches already, or it has changed again */
  noPatch?: "binary" | "large" | "limit" | "vanished";
  /** of a created file: the deleted one that held the same */
  renamedFrom?: string;
  /** of a deleted file: the created one that holds the same, with the patch */
  renamedTo?: string;
}

export interface OneSnapshotParams {
  /** the VM's id or name */
  id: number | string;
  /** the snapshot's id or name */
  snapshot: number | string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface SessionsResult {
  sessions: SessionState[];
}

export interface SessionState {
  name: string;
  language: string;
  startedAt: string;
  lastUsedAt: string;
  /** false: it has ended, and the next execution starts it anew */
  alive: boolean;
}

export interface SessionParams {
  /** the VM's id or name */
  id: number | string;
  session: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface InstallParams {
  /** the VM's id or name */
  id: number | string;
  /** as their package manager has them, with versions: flask==3.0, @scope/name@1, group:artifact:1.0 */
  packages: string[];
  /** whose packages, or system for those of the VM's own distribution; default: the VM's language */
  language?: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ReadFileParams {
  /** the VM's id or name */
  id: number | string;
  /** absolute, or below the home of the VM's user */
  path: string;
  /** default: utf-8 where the content is that, else base64 */
  encoding?: "utf-8" | "base64";
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ReadFileResult {
  content: string;
  encoding: "utf-8" | "base64";
  /** permission bits, as a decimal number */
  mode: number;
  sizeBytes: number;
  modifiedAt: string;
}

export interface WriteFileParams {
  /** the VM's id or name */
  id: number | string;
  /** absolute, or below the home of the VM's user */
  path: string;
  content?: string;
  /** default utf-8 */
  encoding?: "utf-8" | "base64";
  /** permission bits, as a decimal number; default: as it is, 420 (which is 0644) for a new file */
  mode?: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ListFilesParams {
  /** the VM's id or name */
  id: number | string;
  /** absolute, or below the home of the VM's user, which is the default */
  path?: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface ListFilesResult {
  entries: FileEntry[];
  /** there are more than the 10000 that are listed */
  more: boolean;
}

export interface FileEntry {
  name: string;
  type: "file" | "folder" | "link" | "other";
  sizeBytes: number;
  /** permission bits, as a decimal number */
  mode: number;
  modifiedAt: string;
  /** what a link says */
  target?: string;
}

export interface DeleteFileParams {
  /** the VM's id or name */
  id: number | string;
  /** absolute, or below the home of the VM's user */
  path: string;
  /** a folder with all that is in it */
  recursive?: boolean;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface OpenTerminalParams {
  /** the VM's id or name, for a new terminal */
  id?: number | string;
  /** a terminal that is open, instead of a new one: what it last showed is sent again */
  terminalId?: string;
  rows: number;
  cols: number;
  /** program; default: bash, or sh where there is none */
  shell?: string;
  /** kind of terminal, for TERM; default xterm-256color */
  term?: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface OpenTerminalResult {
  /** good for every process on the same database */
  terminalId: string;
}

export interface TerminalInputParams {
  terminalId: string;
  data: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface TerminalResizeParams {
  terminalId: string;
  rows: number;
  cols: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface TerminalParams {
  terminalId: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface NoParams {
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface Template {
  name: string;
  description?: string;
  /** comes with this program: there is one for each language, and some with packages */
  builtIn: boolean;
  language?: string;
  image?: string;
  packages?: string[];
  files?: TemplateFile[];
  setup?: string;
  setupUser?: string;
  limits: TemplateLimits;
  env?: Record<string, string>;
  labels?: Record<string, string>;
  network?: Network;
  createdAt?: string;
}

export interface TemplateFile {
  path: string;
  sizeBytes: number;
  /** permission bits, as a decimal number */
  mode: number;
}

export interface TemplateLimits {
  /** cores */
  cpu?: number;
  /** MiB */
  memory?: number;
  /** MiB */
  disk?: number;
  /** processes and threads */
  pids?: number;
}

export interface CreateTemplateParams {
  /** letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit */
  name: string;
  /** one line */
  description?: string;
  /** language id, with @version to ask for one */
  language?: string;
  /** OCI image instead of the language's own */
  image?: string;
  /** of the language, as vm/installPackages takes them */
  packages?: string[];
  /** placed first, relative to the home of the VM's user; at most 4 MiB together */
  files?: File[];
  /** script that is run last: by the interpreter that its first line names, or by sh -e */
  setup?: string;
  /** who runs it inside the VM; default sandbox */
  setupUser?: "sandbox" | "root";
  /** what is not said gets the default */
  limits?: TemplateLimits;
  /** environment of the script and of every execution */
  env?: Record<string, string>;
  labels?: Record<string, string>;
  /** policy, or its mode alone */
  network?: Network | NetworkMode;
  /** text of a devcontainer.json; its properties count where these params say nothing */
  devcontainer?: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface CreateTemplateResult {
  name: string;
  description?: string;
  /** comes with this program: there is one for each language, and some with packages */
  builtIn: boolean;
  language?: string;
  image?: string;
  packages?: string[];
  files?: TemplateFile[];
  setup?: string;
  setupUser?: string;
  limits: TemplateLimits;
  env?: Record<string, string>;
  labels?: Record<string, string>;
  network?: Network;
  createdAt?: string;
  /** properties of the devcontainer.json that the template leaves out */
  unsupported?: UnsupportedProperty[];
}

export interface UnsupportedProperty {
  property: string;
  reason: string;
}

export interface TemplateParams {
  name: string;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface PoolStatusResult {
  user: Use;
  total: Use;
  byStatus: Record<string, number>;
  /** scratch VMs that are running */
  warm: number;
  /** null where they are not counted */
  credits: number | null;
  runtimes: RuntimeState[];
  host: Host;
}

export interface Use {
  used: number;
  limit: number;
}

export interface RuntimeState {
  name: string;
  available: boolean;
  /** why it is not available */
  reason?: string;
  /** what to do about it */
  hint?: string;
  version?: string;
  enforcement: Enforcement;
  /** what is weaker than it could be */
  notes?: Note[];
}

export interface Note {
  problem: string;
  mend?: string;
}

export interface Host {
  os: string;
  arch: string;
  cpus: number;
  memoryMiB: number;
  memoryFreeMiB: number;
}

export interface LanguagesResult {
  languages: Language[];
}

export interface Language {
  id: string;
  name: string;
  extensions: string[];
  sessions: boolean;
  /** that vm/installPackages uses for it; absent = none */
  packageManager?: string;
  /** where it can run right now without a download */
  runtimes: string[];
}

export interface EventsParams {
  /** the VM; default: all of the user's */
  id?: number | string;
  /** this one and worse */
  severity?: "info" | "warning" | "error" | "critical";
  since?: string;
  /** default 50, at most 1000 */
  limit?: number;
  /** progress is reported under it */
  workDoneToken?: number | string;
  /** output is sent under it as it comes */
  partialResultToken?: number | string;
}

export interface EventsResult {
  events: Event[];
}

export interface Event {
  id: number;
  time: string;
  severity: "info" | "warning" | "error" | "critical";
  /** such as vm.created or execution.timeout */
  type: string;
  user: string;
  vmId?: number;
  vmName?: string;
  message: string;
  data?: Record<string, unknown>;
}

export interface Changed {
  id: number;
  change: "created" | "updated" | "deleted";
  /** as it is now; absent when deleted */
  vm?: VM;
}

export interface TerminalOutput {
  terminalId: string;
  /** characters are whole; what is no UTF-8 is replaced */
  data: string;
  /** in the last one: the terminal is closed */
  exit?: TerminalExit;
}

export interface TerminalExit {
  verdict: "exited" | "signaled" | "cancelled" | "outOfMemory" | "diskFull" | "pidsLimit" | "vmStopped" | "lost";
  exitCode: number;
}

export interface OutputChunk {
  executionId: number;
  vmId?: number;
  stream?: "stdout" | "stderr";
  text?: string;
}

/** Requests by method: what each takes and answers. */
export interface Requests {
  /** Make a VM and start it. */
  "vm/create": { params: CreateParams; result: VM };
  /** List VMs, oldest first. */
  "vm/list": { params: ListParams; result: ListResult };
  /** Describe a VM. */
  "vm/get": { params: IDParams; result: VM };
  /** Describe a VM, with its use at this moment and what runs in it. */
  "vm/status": { params: IDParams; result: StatusResult };
  /** Start a stopped VM with the files it had. */
  "vm/start": { params: ForceParams; result: VM };
  /** End what runs in a VM and keep its files. */
  "vm/stop": { params: ForceParams; result: VM };
  /** Stop and start a VM. */
  "vm/restart": { params: ForceParams; result: VM };
  /** Remove a VM and its files; its executions stay in the history. */
  "vm/delete": { params: ForceParams; result: Empty };
  /** Run code in a VM, or in a scratch VM of its language. */
  "vm/execute": { params: ExecuteParams; result: Execution };
  /** Run code in several VMs side by side and compare. */
  "vm/batchExecute": { params: BatchParams; result: BatchResult };
  /** Continue an execution's standard input. */
  "vm/input": { params: InputParams; result: Empty };
  /** Send a signal to an execution's program. */
  "vm/signal": { params: SignalParams; result: Empty };
  /** Replay an execution's output and follow it to its end. */
  "vm/attach": { params: AttachParams; result: Execution };
  /** List executions, newest first. */
  "vm/executions": { params: ExecutionsParams; result: ExecutionsResult };
  /** Show a VM's own log: boot, provisioning, console. */
  "vm/logs": { params: LogsParams; result: LogsResult };
  /** Keep a VM's files as they are, of a running VM too. */
  "vm/snapshot": { params: SnapshotParams; result: Snapshot };
  /** List snapshots, oldest first. */
  "vm/snapshots": { params: SnapshotsParams; result: SnapshotsResult };
  /** Show what has changed in a VM's files: by its last execution, or between snapshots. */
  "vm/diff": { params: DiffParams; result: DiffResult };
  /** Give a VM the files of a snapshot; what runs in it ends. */
  "vm/restore": { params: OneSnapshotParams; result: VM };
  /** Remove a snapshot; others stay whole. */
  "vm/deleteSnapshot": { params: OneSnapshotParams; result: Empty };
  /** Put a VM's files back to before its last execution. */
  "vm/undo": { params: IDParams; result: VM };
  /** List the interpreters that a VM keeps. */
  "vm/sessions": { params: IDParams; result: SessionsResult };
  /** End a session's interpreter and forget its variables. */
  "vm/closeSession": { params: SessionParams; result: Empty };
  /** Bring packages into a VM, with what their manager prints. */
  "vm/installPackages": { params: InstallParams; result: Execution };
  /** Read a file of at most 16 MiB. */
  "vm/readFile": { params: ReadFileParams; result: ReadFileResult };
  /** Write a file, with missing folders made. */
  "vm/writeFile": { params: WriteFileParams; result: Empty };
  /** List a folder. */
  "vm/listFiles": { params: ListFilesParams; result: ListFilesResult };
  /** Remove a file, or a folder with all that is in it. */
  "vm/deleteFile": { params: DeleteFileParams; result: Empty };
  /** Open a shell on a terminal, or follow one that is open. */
  "vm/openTerminal": { params: OpenTerminalParams; result: OpenTerminalResult };
  /** Type into a terminal that this connection shows. */
  "vm/terminalInput": { params: TerminalInputParams; result: Empty };
  /** Tell a terminal that its window has changed. */
  "vm/terminalResize": { params: TerminalResizeParams; result: Empty };
  /** Close a terminal and end all that runs in it. */
  "vm/closeTerminal": { params: TerminalParams; result: Empty };
  /** List templates, the built-in ones first. */
  "vm/templates": { params: NoParams; result: Template[] };
  /** Keep a template to make VMs from. */
  "vm/createTemplate": { params: CreateTemplateParams; result: CreateTemplateResult };
  /** Remove a template; VMs made from it stay. */
  "vm/deleteTemplate": { params: TemplateParams; result: Empty };
  /** Show quotas, runtimes and the host. */
  "vm/poolStatus": { params: NoParams; result: PoolStatusResult };
  /** List languages and where they can run. */
  "vm/languages": { params: NoParams; result: LanguagesResult };
  /** List security events, newest first. */
  "vm/events": { params: EventsParams; result: EventsResult };
}

/** Notifications from the server. */
export interface Notifications {
  /** A security event, as it happens. */
  "vm/event": Event;
  /** A VM was created, updated or deleted, by whatever process on the same database. */
  "vm/changed": Changed;
  /** What an open terminal shows, on the connection that opened or followed it. */
  "vm/terminalOutput": TerminalOutput;
}
