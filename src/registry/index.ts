/** Owns the client of OCI registries (distribution-spec 1.1): authentication, transfers that resume; imports errors, host, oci. */
export type { Credentials } from './auth/credentials.ts';
export type { CredentialsPlace } from './auth/store-credentials.ts';
export { type BlobSource, blobSourceOf, blobSourceOfBytes } from './blobs/blob-source.ts';
export type { BlobTarget } from './blobs/blob-target.ts';
export type { Blobs } from './blobs/blobs.ts';
export type { WantedBlob } from './blobs/read-blob.ts';
export type { Uploaded, UploadOptions } from './blobs/upload-blob.ts';
export { checkUploadState, type UploadState } from './blobs/upload-state.ts';
export { login } from './login.ts';
export { logout } from './logout.ts';
export type { Manifests, RemoteManifest } from './manifests/manifests.ts';
export { openRepository } from './open-repository.ts';
export type { RegistryLimits, RegistryOptions, Retry } from './options.ts';
export { formatReference, parseReference, type RegistryReference } from './reference.ts';
export type { Repository } from './repository.ts';
export type { TransferProgress } from './transfer.ts';
