import { createMemoryStorage } from '../../server/storage/memory.ts'
import { storageContract } from './storage.ts'

storageContract('memory', async () => createMemoryStorage())
