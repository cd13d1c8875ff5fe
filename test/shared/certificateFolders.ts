import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Authority } from "../../cli/authority.ts";
import { natsSettings } from "../../cli/natsSettings.ts";
import type { PeerRole } from "../../shared/identity.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** Certificate folders for tests, as `anchorage certificates` makes them; gone with the test. */
export class CertificateFolders {
  readonly path: string;
  readonly authority: Authority;

  private constructor(path: string, authority: Authority) {
    this.path = path;
    this.authority = authority;
  }

  /** `authority`: default a new one. */
  static async make(authority?: Authority): Promise<CertificateFolders> {
    const path = mkdtempSync(join(tmpdir(), "anchorage-certificates-"));
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    return new CertificateFolders(path, authority ?? (await Authority.create(new Date(Date.now() - 100 * dayMs))));
  }

  /** A folder for `role`; `issuer` and the day of issue (valid for 30 days) may be wrong ones. */
  async of(role: PeerRole, wrong: { issuer?: Authority; daysAgo?: number } = {}): Promise<string> {
    const { issuer = this.authority, daysAgo = 0 } = wrong;
    const issued = await issuer.issue(role, ["127.0.0.1"], 30, new Date(Date.now() - daysAgo * dayMs));
    const folder = mkdtempSync(join(this.path, `${role}-`));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.crt"), this.authority.certificate);
    writeFileSync(join(folder, "tls.crt"), issued.certificate);
    writeFileSync(join(folder, "tls.key"), issued.key, { mode: 0o600 });
    if (role === "nats") writeFileSync(join(folder, "nats.conf"), natsSettings());
    return folder;
  }
}
