import { servedBackend } from './backends/served-backend.ts'
import { showPage } from './page.ts'

showPage(servedBackend)
